"""What is shown where the output is no terminal, and on one."""

import io

import pytest
from rich.console import Console

from sluice.adapters import progress
from sluice.adapters.progress import Bars, Lines, shown_progress


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200, force_terminal=terminal, color_system=None), out


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_line_begins_and_ends_each_piece_of_work(clock: Clock) -> None:
    screen, out = console()
    lines = Lines(screen)
    lines.begin("node 1.34.2", expected_seconds=75)
    clock.now += 61.26
    lines.end("node 1.34.2", outcome="done", detail="source")
    assert out.getvalue() == "▶ node 1.34.2, 1 min 15 s last time\n✓ node 1.34.2 61.3 s, source\n"


@pytest.mark.parametrize(("outcome", "sign"), [("done", "✓"), ("failed", "✗"), ("cancelled", "–")])
def test_each_outcome_has_its_sign(outcome: str, sign: str) -> None:
    screen, out = console()
    lines = Lines(screen)
    lines.begin("x")
    lines.end("x", outcome=outcome)
    assert out.getvalue().splitlines() == ["▶ x", f"{sign} x 0.0 s"]


def test_a_sign_of_life_comes_once_a_minute_and_not_at_every_word(clock: Clock) -> None:
    screen, out = console()
    lines = Lines(screen)
    lines.begin("loki")
    for second in range(130):
        clock.now += 1
        lines.update("loki", f"{second} packages")
    shown = out.getvalue().splitlines()
    assert shown == ["▶ loki", "  loki: 1 min 01 s, 60 packages", "  loki: 2 min 02 s, 121 packages"]


def test_a_word_that_belongs_to_no_work_is_shown_at_once() -> None:
    screen, out = console()
    Lines(screen).update("supply", "docker.io does not answer [at all]")
    assert out.getvalue() == "  docker.io does not answer [at all]\n"


def test_an_end_without_a_beginning_is_still_shown() -> None:
    screen, out = console()
    Lines(screen).end("x", outcome="failed")
    assert out.getvalue().startswith("✗ x")


def test_where_the_output_is_no_terminal_lines_are_shown() -> None:
    screen, _ = console()
    with shown_progress(screen) as shown:
        assert isinstance(shown, Lines)


def test_on_a_terminal_bars_are_shown_and_each_leaves_a_line(clock: Clock) -> None:
    screen, out = console(terminal=True)
    with shown_progress(screen) as shown:
        assert isinstance(shown, Bars)
        shown.begin("loki", expected_seconds=10)
        clock.now += 100
        shown.update("loki", "linking\nnow")
        [task] = shown._bars.tasks
        assert task.completed == pytest.approx(9.7), "a bar waits before its end while the work goes on"
        shown.update("supply", "a word")
        shown.end("loki", outcome="done")
        assert shown._bars.tasks == []
    assert "✓ loki 100.0 s" in out.getvalue()
    assert "a word" in out.getvalue()


def test_a_piece_of_work_may_be_done_twice() -> None:
    screen, out = console(terminal=True)
    with shown_progress(screen) as shown:
        for _ in range(2):
            shown.begin("x")
            shown.end("x", outcome="done")
    assert out.getvalue().count("✓ x") == 2

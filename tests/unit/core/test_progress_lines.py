"""What is shown where the output is no terminal, and on one."""

import io
import re

import pytest
from rich.console import Console
from tests.unit.core.support import Clock

from sluice.adapters import progress
from sluice.adapters.progress import Bars, Lines, shown_progress


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def console(
    *, terminal: bool = False, width: int = 200, environment: dict[str, str] | None = None
) -> tuple[Console, io.StringIO]:
    out = Screen() if terminal else io.StringIO()
    return Console(file=out, width=width, _environ={"TERM": "xterm", **(environment or {})}), out


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests run in CI too."""
    monkeypatch.delenv("CI", raising=False)


def test_a_line_begins_and_ends_each_piece_of_work(clock: Clock) -> None:
    screen, out = console()
    lines = Lines(screen)
    lines.begin("node 1.34.2", expected_seconds=75)
    clock.now += 61.26
    lines.end("node 1.34.2", outcome="done", detail="source")
    assert out.getvalue() == "▶ node 1.34.2, 1 min 15 s last time\n✓ node 1.34.2 61.3 s, source\n"


@pytest.mark.parametrize(("outcome", "sign"), [("done", "✓"), ("failed", "✗"), ("cancelled", "–")])
def test_each_outcome_has_its_sign(clock: Clock, outcome: str, sign: str) -> None:
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


def test_a_sign_of_life_that_is_too_long_says_that_it_was_cut(clock: Clock) -> None:
    screen, out = console()
    lines = Lines(screen)
    lines.begin("run suites")
    clock.now += 61
    lines.update("run suites", "9 of 537 tests, events/test_order.py::" + "x" * 100)
    assert re.fullmatch(r"  run suites: 1 min 01 s, 9 of 537 tests, .*xx…", out.getvalue().splitlines()[-1])


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


@pytest.mark.parametrize("environment", [{"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_colours_may_be_forced_into_a_file_but_bars_are_not(environment: dict[str, str]) -> None:
    screen, _ = console(environment=environment)
    assert screen.is_terminal
    with shown_progress(screen) as shown:
        assert isinstance(shown, Lines)


def test_a_dumb_terminal_gets_lines() -> None:
    screen, out = console(terminal=True, environment={"TERM": "dumb"})
    with shown_progress(screen) as shown:
        assert isinstance(shown, Lines)
        shown.begin("x")
    assert out.getvalue() == "▶ x\n"


def test_a_terminal_in_ci_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    screen, _ = console(terminal=True)
    with shown_progress(screen) as shown:
        assert isinstance(shown, Lines)


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_bars_have_colours_unless_none_are_wanted(environment: dict[str, str]) -> None:
    screen, out = console(terminal=True, environment=environment)
    with shown_progress(screen) as shown:
        shown.begin("x", expected_seconds=10)
    # Select Graphic Rendition with a colour among its parameters; bold and dim are no colours (no-color.org).
    coloured = re.search(r"\x1b\[(?:\d+;)*(?:3[0-9]|4[0-9]|9[0-7])[;m]", out.getvalue())
    assert bool(coloured) == ("NO_COLOR" not in environment)


@pytest.mark.parametrize("width", [200, 60, 40])
def test_each_bar_takes_one_line_however_narrow_the_terminal_is(clock: Clock, width: int) -> None:
    screen, _ = console(terminal=True, width=width)
    bars = Bars(screen)
    names = ["e2e, --reuse", "postgresql for notification"]
    for name in names:
        bars.begin(name, expected_seconds=980)
        bars.update(name, "compiling github.com/grafana/loki/v3/pkg/storage/chunk/client/aws and " * 3)
    clock.now += 61
    with screen.capture() as captured:
        screen.print(bars._bars.get_renderable())
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in captured.get().splitlines()]
    assert len(lines) == len(names)
    assert max(len(line) for line in lines) <= width
    assert ("━" in lines[0]) == (width == 200), "a bar where there is room for it, else the words"
    assert all("…" in line for line in lines)
    if width >= 60:
        assert "postgresql for notification" in lines[1]
        assert " of 16:20" in lines[1]


@pytest.mark.parametrize("kind", [Lines, Bars])
def test_what_a_program_said_neither_colours_nor_moves(clock: Clock, kind: type[Lines | Bars]) -> None:
    screen, out = console(terminal=kind is Bars)
    shown = kind(screen)
    shown.begin("x")
    clock.now += 100
    said = "\x1b[2K\x1b[31m40 %\r\x1b[1;32m50 %\x1b[0m\x1b[5A\r\n"
    shown.update("x", said)
    shown.update("", said)
    if isinstance(shown, Bars):
        assert shown._bars.tasks[0].fields["text"] == "50 %"
        assert out.getvalue() == "  50 %\n"
    else:
        assert out.getvalue() == "▶ x\n  x: 1 min 40 s, 50 %\n  50 %\n"


def test_a_piece_of_work_may_be_done_twice() -> None:
    screen, out = console(terminal=True)
    with shown_progress(screen) as shown:
        for _ in range(2):
            shown.begin("x")
            shown.end("x", outcome="done")
    assert out.getvalue().count("✓ x") == 2

"""What ran when: suites in lanes, failed tests by number across the plot."""

import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from tests.unit.report import samples

from sluice.domain import Attempt, Outcome, StepTiming, TestResult
from sluice.report.marks import Marks, draw_failed, draw_lanes, marks
from sluice.report.plots import Frame
from sluice.report.timeline import Timeline, timeline

RUN = samples.sound()
START = samples.STARTED
FRAME = Frame(START, START + 100, 0.0, 1.0)


def a_test(suite: str, at: float, seconds: float, outcome: Outcome = "passed", name: str = "t") -> TestResult:
    return replace(RUN.tests[0], id=name, suite=suite, started=START + at, seconds=seconds, outcome=outcome)


def svg(parts: list[str]) -> ET.Element:
    return ET.fromstring(f"<svg>{''.join(parts)}</svg>")


def laned(*windows: tuple[str, float, float]) -> list[tuple[str, int]]:
    found = marks([a_test(suite, at, seconds) for suite, at, seconds in windows], START)
    return [(window.suite, window.lane) for window in found.windows]


def test_suites_one_after_the_other_share_a_lane_and_those_side_by_side_do_not() -> None:
    assert laned(("a", 0, 10), ("b", 10, 10), ("c", 5, 10), ("d", 16, 3)) == [("a", 0), ("c", 1), ("b", 0), ("d", 1)]
    assert marks([a_test("a", 0, 10), a_test("b", 5, 1)], START).lanes == 2
    assert marks([], START).lanes == 0


def test_very_many_side_by_side_share_the_last_lane() -> None:
    assert {lane for _, lane in laned(*((f"s{n}", n, 100) for n in range(9)))} == {0, 1, 2, 3}


def test_a_suites_window_is_from_its_first_test_to_the_end_of_its_last() -> None:
    found = marks([a_test("b", 70, 5), a_test("a", 12, 1), a_test("b", 90, 5), a_test("b", 60, 2)], START)
    assert found.told() == "a 0:12 to 0:13, b 1:00 to 1:35"


def test_a_lane_has_its_suites_names_and_a_stroke_a_test() -> None:
    found = marks([a_test("<a>", 0, 10), a_test("b", 5, 10), a_test("b", 20, 10, "failed")], START)
    drawn = svg(draw_lanes(found, FRAME, 100, each_test=True))
    assert [text.text for text in drawn.iter("text")] == ["<a>", "b"]
    assert [one.get("y") for one in drawn if one.get("x")] == ["100", "119"]
    (path,) = drawn.iter("path")
    assert path.get("d", "").count("M") == 2, "what failed is drawn across the plot instead"
    assert not list(svg(draw_lanes(found, FRAME, 100, each_test=False)).iter("path"))


def test_a_failed_test_stands_out_across_the_plot_with_its_number_and_words() -> None:
    tests = [a_test("a", 50, 10, "failed", "x::second"), a_test("a", 5, 10, "error", "x::first"), a_test("a", 20, 1)]
    drawn = svg(draw_failed(marks(tests, START), FRAME, 14, 150))
    assert [(text.text, text.get("x")) for text in drawn.iter("text")] == [("✗1", "5.00%"), ("✗2", "50.00%")]
    assert [title.text for title in drawn.iter("title")] == ["failed: x::first", "failed: x::second"]
    assert [rect.get("x") for rect in drawn.iter("rect")] == ["5.00%", "50.00%"]
    assert {rect.get("width") for rect in drawn.iter("rect")} == {"10.00%"}


def test_a_flaky_test_has_a_sign_of_its_own_and_no_number() -> None:
    flaky = replace(a_test("a", 5, 1, "failed"), attempts=(Attempt("passed", START + 40, 1.0),))
    found = marks([flaky, a_test("a", 50, 1, "failed", "bad")], START)
    assert [test.id for test in found.failed] == ["bad"]
    drawn = svg(draw_failed(found, FRAME, 14, 150))
    assert [(group.get("class"), group[3].text) for group in drawn] == [("flaky", "!"), ("bad", "✗1")]


def test_numbers_that_would_cover_each_other_are_left_out_and_windows_are_not() -> None:
    drawn = svg(draw_failed(marks([a_test("a", n, 1, "failed", f"t{n}") for n in range(9)], START), FRAME, 14, 150))
    assert len(list(drawn.iter("rect"))) == 9
    assert [text.text for text in drawn.iter("text")] == ["✗1", "✗4", "✗7"]


def test_what_lies_beyond_the_plotted_time_keeps_its_number() -> None:
    tests = [a_test("a", -50, 10, "failed", "before"), a_test("a", 5, 10, "failed", "within")]
    shown = marks(tests, START).within(START, START + 100)
    assert [text.text for text in svg(draw_failed(shown, FRAME, 14, 150)).iter("text")] == ["✗2"]


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf])
def test_a_test_without_a_time_is_drawn_nowhere_and_still_failed(at: float) -> None:
    found = marks([replace(RUN.tests[0], started=at, outcome="failed")], START)
    assert len(found.failed) == 1
    assert found.windows == ()
    assert draw_failed(found, FRAME, 14, 150) == []


def shown(steps: tuple[StepTiming, ...] = RUN.steps, tests: Marks | None = None) -> Timeline:
    found = timeline(steps, tests or marks(RUN.tests, RUN.started), ended=RUN.ended)
    assert found is not None
    return found


def test_the_timeline_has_a_bar_a_step_in_the_order_of_their_starts() -> None:
    found = shown()
    names = [row.name for row in found.rows if row.kind == "step"]
    long = [step for step in RUN.steps if step.seconds >= 2.224]
    assert names == [step.name for step in sorted(long, key=lambda step: (step.started, step.name))]
    assert found.short == len(RUN.steps) - len(long)
    assert all(0 <= row.left <= 100 and 0 < row.width <= 100 - row.left for row in found.rows)
    assert found.told == "14 steps in 3 min 42 s; the longest is run suites with 1 min 22 s."
    create = next(row for row in found.rows if row.name == "create cluster")
    assert (create.began, create.took) == ("0:02", "38.6 s")
    assert create.left == pytest.approx(100 * 2.4 / 222.4)
    assert create.width == pytest.approx(100 * 38.6 / 222.4)


def test_the_suites_are_within_their_step() -> None:
    rows = shown(tests=marks([replace(RUN.tests[0], outcome="failed"), *RUN.tests[1:]], RUN.started)).rows
    first = next(number for number, row in enumerate(rows) if row.name == "run suites") + 1
    assert [(row.kind, row.name, row.outcome) for row in rows[first : first + 2]] == [
        ("suite", "api", "failed"),
        ("suite", "metrics", "passed"),
    ]
    assert rows[-1].name == "collect evidence"


def test_a_short_step_that_failed_is_there_and_one_before_the_run_widens_it() -> None:
    steps = (StepTiming("<install>", START - 3, 0.1, "failed"), StepTiming("b", START, 200.0, "done"))
    found = shown(steps)
    told = [(row.name, row.began, row.outcome) for row in found.rows]
    assert told == [("<install>", "-0:03", "failed"), ("b", "0:00", "done")]
    assert found.rows[0].left == 0


def test_a_run_without_steps_has_no_timeline() -> None:
    assert timeline((), marks((), START), ended=START) is None
    nowhere = StepTiming("s", math.nan, 1.0, "done")
    assert timeline((nowhere,), marks((), START), ended=math.nan) is None

"""Plots and the timeline: well-formed SVG that says in words what it shows."""

import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from tests.unit.report import samples

from sluice.domain import Measurement, ObjectiveResult, Series, StepTiming, TestResult
from sluice.report.plots import DRAWN_SERIES, Plot, line_plot, suite_windows
from sluice.report.timeline import timeline

RUN = samples.sound()
RESULTS = {result.name: result for result in samples.verdict(RUN).objectives}
LATENCY = RUN.measurements[1]


def drawn(
    measurement: Measurement, result: ObjectiveResult | None = None, tests: tuple[TestResult, ...] = RUN.tests
) -> tuple[Plot, ET.Element]:
    plot = line_plot(measurement, result, tests, origin=RUN.started, ident="p")
    assert plot is not None
    return plot, ET.fromstring(plot.svg)


def texts(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter("text")]


def test_a_plot_has_axes_with_units_limits_and_windows() -> None:
    plot, svg = drawn(LATENCY, RESULTS["p95-latency"])
    assert plot.names == ("audit", "backend", "sync")
    assert plot.left_out == 0
    assert {"0 s", "500 ms", "2:15", "3:30", "api", "pass ≤ 500 ms", "warn ≤ 1 s"} <= set(texts(svg))
    assert len(list(svg.iter("path"))) == 3
    assert len([rect for rect in svg.iter("rect") if "test" in rect.get("class", "").split()]) == len(RUN.tests)


def test_a_plot_is_told_to_who_does_not_see_it() -> None:
    _, svg = drawn(LATENCY, RESULTS["p95-latency"])
    assert (svg.get("role"), svg.get("aria-labelledby")) == ("img", "p-t p-d")
    title, description = svg[0], svg[1]
    assert (title.get("id"), title.text) == ("p-t", "p95-latency in seconds over time since the run began")
    assert description.text is not None
    assert "backend: from" in description.text
    assert "To pass it takes ≤ 500 ms. Suites ran: api 2:12 to" in description.text


def test_series_of_one_label_are_named_by_its_value_and_others_in_full() -> None:
    both = replace(
        LATENCY,
        series=(
            Series({"service": "a", "__name__": "up", "pod": "p"}, ((samples.STARTED, 1.0),)),
            Series({}, ((samples.STARTED, 2.0),)),
        ),
    )
    assert drawn(both)[0].names == ("p95-latency", "pod=p, service=a")


def test_a_value_that_cannot_be_drawn_is_a_gap_and_a_lonely_one_a_dot() -> None:
    values = (1.0, 2.0, math.nan, 3.0, math.inf, 4.0, 5.0)
    points = tuple((samples.STARTED + at, value) for at, value in enumerate(values))
    _, svg = drawn(replace(LATENCY, series=(Series({}, points),)))
    paths = [path.get("d", "") for path in svg.iter("path")]
    assert len(paths) == 3
    assert paths[1].endswith("h0")


@pytest.mark.parametrize(
    "series",
    [
        pytest.param((), id="no series"),
        pytest.param((Series({}, ()),), id="a series without points"),
        pytest.param((Series({}, ((samples.STARTED, math.nan), (math.nan, 1.0))),), id="no finite point"),
    ],
)
def test_without_a_point_there_is_no_plot(series: tuple[Series, ...]) -> None:
    measurement = replace(LATENCY, series=series)
    assert line_plot(measurement, None, RUN.tests, origin=RUN.started, ident="p") is None


@pytest.mark.parametrize(
    ("criterion", "names"),
    [
        pytest.param("<= 5", {f"s{n:02d}" for n in range(12, 20)}, id="the largest where less is better"),
        pytest.param(">= 5", {f"s{n:02d}" for n in range(8)}, id="the smallest where more is better"),
    ],
)
def test_of_many_series_the_worst_are_drawn_and_the_rest_counted(criterion: str, names: set[str]) -> None:
    many = tuple(Series({"s": f"s{n:02d}"}, ((samples.STARTED, float(n)),)) for n in range(20))
    result = replace(RESULTS["p95-latency"], pass_criterion=criterion, warn_criterion="")
    plot, _ = drawn(replace(LATENCY, series=many), result)
    assert set(plot.names) == names
    assert plot.left_out == 20 - DRAWN_SERIES


@pytest.mark.parametrize("values", [(0.0, 0.0), (5.0, 5.0), (-1e-320, 1e300), (1e-9, 2e-9), (-3.0, -2.0)])
def test_any_range_of_values_is_inside_the_drawing(values: tuple[float, ...]) -> None:
    points = tuple((samples.STARTED + at, value) for at, value in enumerate(values))
    _, svg = drawn(replace(LATENCY, series=(Series({}, points),)))
    spots = next(svg.iter("path")).get("d", "").removeprefix("M").split("L")
    assert all(-0.1 <= float(spot.split()[1]) <= 150.1 for spot in spots)


def test_a_failed_test_is_marked_across_the_plot() -> None:
    bad = replace(RUN.tests[4], outcome="failed")
    _, svg = drawn(LATENCY, tests=(*RUN.tests[:4], bad))
    assert len([line for line in svg.iter("line") if line.get("class") == "bad"]) == 1
    assert f"{bad.id}: failed" in [title.text for title in svg.iter("title")]


def test_tests_outside_the_plotted_time_are_left_out() -> None:
    early = replace(RUN.tests[0], started=samples.STARTED - 500)
    _, svg = drawn(LATENCY, tests=(early,))
    assert not [rect for rect in svg.iter("rect") if "test" in rect.get("class", "").split()]


def test_names_from_outside_are_text_and_no_markup() -> None:
    named = replace(LATENCY, objective="<b>&", unit="<i>", series=(Series({"x": "<u>\"'"}, LATENCY.series[0].points),))
    tests = tuple(replace(test, suite="<s>", id="<t>") for test in RUN.tests)
    plot, svg = drawn(named, tests=tests)
    assert not {"b", "i", "u", "s", "t"} & {element.tag for element in svg.iter()}
    assert "<s>" in texts(svg)
    assert plot.names == ("<u>\"'",)


def test_the_suites_windows_are_told_in_their_order() -> None:
    tests = (
        replace(RUN.tests[0], suite="b", started=samples.STARTED + 70, seconds=5),
        replace(RUN.tests[0], suite="a"),
    )
    assert suite_windows(tests, samples.STARTED) == "b 1:10 to 1:15, a 2:12 to 2:13"


def test_the_timeline_has_a_bar_a_step_in_the_order_of_their_starts() -> None:
    svg = ET.fromstring(timeline(RUN.steps, origin=RUN.started, ended=RUN.ended))
    names = [text.text for text in svg.iter("text") if text.get("class") == "step"]
    assert names == [step.name for step in sorted(RUN.steps, key=lambda step: (step.started, step.name))]
    bars = [rect for rect in svg.iter("rect") if rect.get("class") == "bar done"]
    assert len(bars) == len(RUN.steps)
    assert all(0 <= float(bar.get("x", "").rstrip("%")) <= 100 for bar in bars)
    assert svg[1].text == (
        "14 steps in 3 min 42 s; the longest is run suites with 1 min 22 s. The table below has every step."
    )


def test_a_step_that_failed_says_so_in_words() -> None:
    steps = (StepTiming("<install>", samples.STARTED - 3, 240.0, "failed"),)
    svg = ET.fromstring(timeline(steps, origin=samples.STARTED, ended=samples.STARTED))
    assert "4 min 00 s, failed" in texts(svg)


def test_a_run_without_steps_has_no_timeline() -> None:
    assert timeline((), origin=samples.STARTED, ended=samples.STARTED) == ""
    nowhere = StepTiming("s", math.nan, 1.0, "done")
    assert timeline((nowhere,), origin=samples.STARTED, ended=math.nan) == ""

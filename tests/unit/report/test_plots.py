"""Plots: well-formed SVG that says in words what it shows."""

import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from tests.unit.report import samples

from sluice.domain import Measurement, ObjectiveResult, Series, TestResult
from sluice.report.marks import marks
from sluice.report.plots import DRAWN_SERIES, Plot, line_plot

RUN = samples.sound()
RESULTS = {result.name: result for result in samples.verdict(RUN).objectives}
LATENCY = RUN.measurements[1]


def drawn(
    measurement: Measurement, result: ObjectiveResult | None = None, tests: tuple[TestResult, ...] = RUN.tests
) -> tuple[Plot, ET.Element]:
    plot = line_plot(measurement, result, marks(tests, RUN.started), ident="p")
    assert plot is not None
    return plot, ET.fromstring(plot.svg)


def texts(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter("text")]


def lines(svg: ET.Element) -> list[str]:
    return [path.get("d", "") for path in svg.iter("path") if path.get("class", "").startswith("line")]


def strokes(svg: ET.Element) -> str:
    return "".join(path.get("d", "") for path in svg.iter("path") if path.get("class") == "tests")


def spots(path: str) -> list[tuple[int, int]]:
    """Where a line's points lie, of all its runs: the first of a run as it is, the others from the one before."""
    found = []
    for run in path.split("M")[1:]:
        first, _, moves = run.partition("l")
        x, y = map(int, first.split())
        found.append((x, y))
        numbers = list(map(int, moves.split()))
        for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = x + dx, y + dy
            found.append((x, y))
    return found


def test_a_plot_has_axes_with_units_limits_and_windows() -> None:
    plot, svg = drawn(LATENCY, RESULTS["p95-latency"])
    assert plot.names == ("audit", "backend", "sync")
    assert plot.left_out == 0
    assert {"0 s", "500 ms", "2:15", "3:30", "api", "pass ≤ 500 ms", "warn ≤ 1 s"} <= set(texts(svg))
    assert len(lines(svg)) == 3
    assert strokes(svg).count("M") == len(RUN.tests) - 1, "a stroke a test; one was skipped"


def test_a_plot_is_told_to_who_does_not_see_it() -> None:
    _, svg = drawn(LATENCY, RESULTS["p95-latency"])
    assert [svg.get(name) for name in ("role", "aria-labelledby", "aria-describedby")] == ["img", "p-t", "p-d"]
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
    (path,) = lines(svg)
    assert path.count("M") == 3
    assert path.split("M")[2].endswith("l0 0")


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
    assert line_plot(measurement, None, marks(RUN.tests, RUN.started), ident="p") is None


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
    (path,) = lines(svg)
    assert len(spots(path)) >= 2
    assert all(0 <= x <= 2000 and 0 <= y <= 600 for x, y in spots(path))


def test_a_line_is_where_its_values_are() -> None:
    values = (0.0, 4.0, 1.0, 2.0)
    points = tuple((samples.STARTED + 10 * at, value) for at, value in enumerate(values))
    _, svg = drawn(replace(LATENCY, series=(Series({}, points),)))
    (path,) = lines(svg)
    assert spots(path) == [(0, 600), (667, 0), (1333, 450), (2000, 300)]


def test_a_span_that_is_given_is_shown_whole() -> None:
    span = (samples.STARTED, samples.STARTED + 400)
    plot = line_plot(LATENCY, None, marks((), samples.STARTED), ident="p", span=span)
    assert plot is not None
    assert {"0:00", "6:00"} <= set(texts(ET.fromstring(plot.svg)))


def test_tests_outside_the_plotted_time_are_left_out() -> None:
    early = replace(RUN.tests[0], started=samples.STARTED - 500)
    bad = replace(early, id="bad", outcome="failed")
    _, svg = drawn(LATENCY, tests=(early, bad))
    assert strokes(svg) == ""
    assert not [group for group in svg.iter("g") if group.get("class") == "bad"]
    assert "Suites ran" not in (svg[1].text or "")


def test_names_from_outside_are_text_and_no_markup() -> None:
    named = replace(LATENCY, objective="<b>&", unit="<i>", series=(Series({"x": "<u>\"'"}, LATENCY.series[0].points),))
    tests = tuple(replace(test, suite="<s>", id="<t>") for test in RUN.tests)
    plot, svg = drawn(named, tests=tests)
    assert not {"b", "i", "u", "s", "t"} & {element.tag for element in svg.iter()}
    assert "<s>" in texts(svg)
    assert plot.names == ("<u>\"'",)

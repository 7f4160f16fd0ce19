"""The page stays small, whatever a run throws at it; bench/report.py measures how quick it is."""

import math
from dataclasses import replace

from tests.unit.dashboards import samples as boards
from tests.unit.report import samples

from sluice.dashboards import DashboardData
from sluice.domain import Evidence, Measurement, Series, TestResult
from sluice.report.page import LARGEST_BYTES, render

SOUND = samples.sound()


def _huge() -> Evidence:
    """Far more of everything than a run has, and all of it hostile to the size."""
    message = "&" * 5000
    tests = tuple(
        TestResult(
            f"tests/e2e/s{n % 3}/test_x.py::test_{n}",
            f"s{n % 3}",
            "failed",
            samples.STARTED + n,
            1.0,
            message,
        )
        for n in range(900)
    )
    series = tuple(
        Series({"pod": f"p{k}"}, tuple((samples.STARTED + at, math.sin(at + k)) for at in range(400))) for k in range(9)
    )
    measurements = tuple(
        Measurement(f"m{n}", "promql", message, "u", samples.STARTED, 5.0, (1.0,), 5, message, series)
        for n in range(45)
    )
    return replace(SOUND, tests=tests, measurements=measurements, failures=(message,) * 300)


def test_a_huge_run_stays_below_the_limit_and_says_what_is_left_out() -> None:
    evidence = _huge()
    html = render(evidence, samples.verdict(evidence), {f"log{n}": "&" * 70_000 for n in range(40)})
    assert len(html.encode()) < LARGEST_BYTES
    for told in (
        "characters left out",
        "tests more are in evidence.json",
        "measurements more are in evidence.json",
        "logs more lie beside evidence.json",
    ):
        assert told in html


def test_two_hundred_tests_and_their_dashboards_have_room_in_full() -> None:
    tests = tuple(replace(SOUND.tests[n % 30], id=f"tests/e2e/api/test_api.py::test_{n}") for n in range(200))
    evidence = replace(SOUND, tests=tests)
    html = render(evidence, samples.verdict(evidence), {}, dashboards=_dashboards(points=200))
    assert len(html.encode()) < LARGEST_BYTES
    assert html.count("test_api.py::test_") >= 200
    assert html.count('class="timeseries"') == 60
    assert "left out" not in html


def test_where_dashboards_have_no_room_the_page_says_so() -> None:
    html = render(SOUND, samples.verdict(SOUND), {}, dashboards=_dashboards(points=200, description="&" * 60_000))
    assert len(html.encode()) < LARGEST_BYTES
    assert "There is no room for the 5 dashboards on this page" in html
    assert 'class="timeseries"' not in html


def _dashboards(points: int, description: str = "") -> list[DashboardData]:
    """Five dashboards of 12 panels with 8 lines each."""
    data = boards.data()
    series = tuple(
        Series({"legend": f"line {k}"}, tuple((boards.START + at / 2, math.sin(at * k)) for at in range(points)))
        for k in range(8)
    )
    panel = replace(data.panels[0], series=series, panel=replace(data.panels[0].panel, description=description))
    return [replace(data, dashboard=replace(data.dashboard, uid=f"d{n}"), panels=(panel,) * 12) for n in range(5)]

"""collect_dashboards: every panel is asked over the window, bounded, masked, and none stops another."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.dashboards.samples import panel, variables
from tests.unit.fakes import FakeLogs, FakeMetrics

from sluice.dashboards import Dashboard, DashboardData, PanelData, Query
from sluice.domain import dump, load
from sluice.errors import EvidenceError
from sluice.masking import masker
from sluice.ports import LogLine
from sluice.steps.collect_dashboards import KEPT_LINES, KEPT_NUMBERS, KEPT_SERIES, collect_dashboards

pytestmark = pytest.mark.anyio

START, END = 1000.0, 2200.0
ASKED = 'rate(x{namespace="default", service=~".+"}[60s])'
RATE = Query("A", "promql", 'rate(x{namespace="$namespace", service=~"$service"}[$__rate_interval])', "n{{number}}")


async def collected(metrics: FakeMetrics, logs: FakeLogs, *panels: PanelData) -> DashboardData:
    board = Dashboard("example", "Example", "", variables(), tuple(one.panel for one in panels))
    (found,) = await collect_dashboards(
        (board,),
        metrics=metrics,
        logs=logs,
        namespace="default",
        start=START,
        end=END,
        deadline_seconds=10,
        mask=masker(["hunter2-hunter2"]),
    )
    return found


def with_query(query: Query, kind: str = "timeseries", **more: object) -> PanelData:
    return PanelData(panel("Example", kind, queries=(query,), **more))


async def test_a_graph_is_asked_over_the_window_and_a_number_at_its_end() -> None:
    metrics = FakeMetrics({ASKED: [1.0, 2.0], "up": 1.0})
    found = await collected(metrics, FakeLogs(), with_query(RATE), with_query(Query("A", "promql", "up", "", True)))
    assert metrics.ranges == [(ASKED, START, END, 10.0)]
    assert metrics.asked == [("up", END)]
    graph, number = found.panels
    assert (graph.asked, graph.error) == ((ASKED,), "")
    assert [one.labels for one in graph.series] == [{"legend": "n1"}, {"legend": "n0"}]
    assert [point[1] for point in number.series[0].points] == [1.0]
    assert found.values == {"metrics": "", "namespace": "default", "service": ".+"}


@pytest.mark.parametrize(("falling", "kept"), [(False, "n11"), (True, "n0")])
async def test_of_many_series_the_worst_are_kept(falling: bool, kept: str) -> None:
    metrics = FakeMetrics({ASKED: [float(number) for number in range(12)]})
    found = (await collected(metrics, FakeLogs(), with_query(RATE, falling=falling))).panels[0]
    assert (len(found.series), found.left_out) == (KEPT_SERIES, 4)
    assert found.series[0].labels == {"legend": kept}


async def test_numbers_are_of_the_whole_run_and_more_are_kept_than_of_lines() -> None:
    whole = ASKED.replace("60s", "1200s")
    metrics = FakeMetrics({whole: [float(number) for number in range(40)]})
    bars = with_query(replace(RATE, instant=True), "bargauge")
    found = (await collected(metrics, FakeLogs(), bars)).panels[0]
    assert (len(found.series), found.left_out) == (KEPT_NUMBERS, 10)


async def test_the_newest_lines_are_kept_without_secrets() -> None:
    kept = tuple(LogLine(END - 200 + number, {}, f"line {number} password=x") for number in range(200))
    logs = FakeLogs(kept=kept)
    found = (await collected(FakeMetrics(), logs, with_query(Query("A", "logql", "{a='b'}"), "logs"))).panels[0]
    assert len(found.lines) == KEPT_LINES
    assert (found.lines[0], found.lines[-1]) == ("line 199 password=***", "line 160 password=***")


async def test_what_fails_is_told_and_the_others_are_asked() -> None:
    broken = EvidenceError("refused", seen="400: hunter2-hunter2")
    metrics, logs = FakeMetrics({ASKED: broken, "up": 1.0}), FakeLogs({"lines": ZeroDivisionError("a bug")})
    unknown = Query("A", "promql", "x{pod='$pod'}")
    found = await collected(
        metrics,
        logs,
        with_query(RATE),
        with_query(Query("A", "logql", "lines")),
        with_query(unknown),
        with_query(Query("A", "promql", "up")),
    )
    errors = [one.error for one in found.panels]
    assert errors[:2] == ["refused: 400: ***", "ZeroDivisionError: a bug"]
    assert "uses a variable that the dashboard does not have: $pod" in errors[2]
    assert errors[3] == ""
    assert found.panels[3].series


async def test_the_data_can_be_written_and_read_back(tmp_path: Path) -> None:
    metrics = FakeMetrics({ASKED: [float("nan"), 2.0]})
    found = await collected(metrics, FakeLogs(), with_query(RATE))
    (tmp_path / "example.json").write_bytes(dump(found, indent=None))
    again = load(DashboardData, tmp_path / "example.json")
    assert str(again) == str(found)  # NaN is not equal to itself

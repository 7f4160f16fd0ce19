"""Ask what every panel of every dashboard shows over a run, so that a reader sees it without Grafana."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import anyio

from sluice.dashboards import Dashboard, DashboardData, Panel, PanelData, Query, fill, legend
from sluice.domain import Series
from sluice.errors import in_a_line
from sluice.ports import Logs, Metrics

KEPT_SERIES = 8  # as many as can be told apart
KEPT_NUMBERS = 30
KEPT_LINES = 40
_LINE_CHARS = 600
_AT_ONCE = 4
_POINTS = 120
_SHORTEST_STEP = 5.0
# Long enough for several scrapes; a minute is what the gate's plots take too.
_RATE_SECONDS = 60.0
_LAST_PARTS = (10.0, 60.0, 300.0)
_LATE = "not asked in time"


def chosen(dashboard: Dashboard, namespace: str) -> dict[str, str]:
    """What stands for a reader's choice: the services' namespace, and everything of all else."""
    return {one.name: namespace if one.name == "namespace" else one.every for one in dashboard.variables}


async def collect_dashboards(
    dashboards: Sequence[Dashboard],
    *,
    metrics: Metrics,
    logs: Logs,
    namespace: str,
    start: float,
    end: float,
    deadline_seconds: float,
    mask: Callable[[str], str],
) -> tuple[DashboardData, ...]:
    """Return each dashboard's data over a window, in seconds since the epoch; raises nothing but cancellation.

    Of a panel's series the worst are kept. What could not be asked has an error that says so.
    Lines, legends and errors pass through `mask`.
    """
    step = max(_SHORTEST_STEP, float(math.ceil((end - start) / _POINTS)))
    found = [
        DashboardData(
            one, start, end, step, chosen(one, namespace), tuple(PanelData(p, error=_LATE) for p in one.panels)
        )
        for one in dashboards
    ]
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(board: int, number: int) -> None:
        async with limit:
            answer = await _panel(found[board], found[board].dashboard.panels[number], metrics, logs, mask)
        panels = found[board].panels
        found[board] = replace(found[board], panels=(*panels[:number], answer, *panels[number + 1 :]))

    with anyio.move_on_after(deadline_seconds):
        async with anyio.create_task_group() as group:
            for board, one in enumerate(dashboards):
                for number in range(len(one.panels)):
                    group.start_soon(ask, board, number)
    return tuple(found)


async def _panel(
    board: DashboardData, panel: Panel, metrics: Metrics, logs: Logs, mask: Callable[[str], str]
) -> PanelData:
    asked: list[str] = []
    series: list[Series] = []
    lines: list[str] = []
    errors: list[str] = []
    for query in panel.queries:
        try:
            window = board.end - board.start
            # A single number is of the whole run: in its last minute there may have been nothing.
            rate = window if query.instant else _RATE_SECONDS
            text = fill(query.text, board.values, window=window, step=board.step, rate=rate)
            asked.append(text)
            if panel.kind == "logs":
                lines += [mask(line)[:_LINE_CHARS] for line in await _newest(logs, text, board)]
            else:
                series += await _series(board, query, text, metrics, logs, mask)
        except Exception as error:  # noqa: BLE001 - a panel that is not drawn stops nobody
            errors.append(in_a_line(error))
    # The series that a reader has to see are those nearest to the limits.
    most = KEPT_SERIES if panel.kind == "timeseries" else KEPT_NUMBERS
    kept = sorted(series, key=partial(_badness, falling=panel.falling), reverse=True)[:most]
    left_out, failed = len(series) - len(kept), mask("; ".join(errors))
    return PanelData(panel, tuple(asked), tuple(kept), tuple(lines), left_out, failed)


async def _newest(logs: Logs, text: str, board: DashboardData) -> list[str]:
    """The last lines of the window, the newest first.

    The port gives the oldest of a window, so the last part of it is asked, then more.
    """
    window = board.end - board.start
    for part in (*(one for one in _LAST_PARTS if one < window), window):
        found = await logs.lines(text, start=board.end - part, end=board.end)
        if len(found) >= KEPT_LINES:
            break
    return [line.text for line in found[: -KEPT_LINES - 1 : -1]]


async def _series(
    board: DashboardData, query: Query, text: str, metrics: Metrics, logs: Logs, mask: Callable[[str], str]
) -> tuple[Series, ...]:
    server: Metrics | Logs = metrics if query.language == "promql" else logs
    if query.instant:
        answered = await server.instant(text, at=board.end)
    else:
        answered = await server.range(text, start=board.start, end=board.end, step=board.step)
    return tuple(
        Series({"legend": mask(legend(query, one))}, tuple((at, float(f"{value:.6g}")) for at, value in one.points))
        for one in answered
    )


def _badness(series: Series, *, falling: bool) -> float:
    values = [value for _, value in series.points if math.isfinite(value)]
    return max((-value if falling else value for value in values), default=-math.inf)

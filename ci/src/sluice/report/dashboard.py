"""A dashboard's data → what the page shows of it, panel by panel, laid out as Grafana would: no Grafana, no script.

Public: `board`. Lines come from plots.py, the look from dashboard.css, the order from dashboard.html.j2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from sluice.dashboards import DashboardData, Panel, PanelData
from sluice.domain import Series
from sluice.report import plots, scales, words
from sluice.report.marks import Marks

# Grafana's units, in the words of words.quantity; milliseconds are shown as seconds.
_UNITS = {
    "percentunit": "ratio",
    "s": "seconds",
    "ms": "seconds",
    "bytes": "bytes",
    "decbytes": "bytes",
    "Bps": "bytes/s",
    "reqps": "req/s",
    "ops": "/s",
    "eps": "/s",
    "mps": "/s",
}
_MILLI = 0.001
# A limit is drawn where it is not so far off that the lines would be flat beside it.
_NEAR = 3.0


@dataclass(frozen=True)
class Value:
    """One series as a number: its last value, and how far of the largest it is, in percent."""

    name: str
    text: str
    level: str
    share: float


@dataclass(frozen=True)
class Shown:
    """A panel as the page shows it."""

    ident: str
    panel: Panel
    error: str
    asked: tuple[str, ...]
    values: tuple[Value, ...]
    plot: Markup | None
    lines: tuple[str, ...]
    left_out: int
    limits: str

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return not (self.values or self.plot or self.lines)


@dataclass(frozen=True)
class Board:
    """A dashboard as the page shows it: rows of panels, and which of them are empty or were not answered."""

    uid: str
    title: str
    description: str
    over: str
    values: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[Shown, ...]], ...]

    @property
    def panels(self) -> tuple[Shown, ...]:
        """All panels."""
        return tuple(panel for _, panels in self.rows for panel in panels)

    @property
    def empty(self) -> tuple[Shown, ...]:
        """Panels that were answered with nothing."""
        return tuple(one for one in self.panels if one.empty and not one.error)

    @property
    def failed(self) -> tuple[Shown, ...]:
        """Panels whose query failed."""
        return tuple(one for one in self.panels if one.error)


def board(data: DashboardData, marks: Marks, *, ident: str, points: int) -> Board:
    """Draw a dashboard with at most about `points` points of a line; `ident` makes its panels' ids unique on a page."""
    shown = [_panel(one, f"{ident}-{number}", marks, data, points) for number, one in enumerate(data.panels)]
    return Board(
        uid=data.dashboard.uid,
        title=data.dashboard.title,
        description=data.dashboard.description,
        over=f"{words.duration(data.end - data.start)} from {words.moment(data.start)}, "
        f"a point every {words.duration(data.step)}",
        values=tuple((name, "all" if value == ".+" else value) for name, value in data.values.items() if value),
        rows=tuple((row, tuple(panels)) for row, panels in groupby(shown, key=lambda one: one.panel.row)),
    )


def _panel(data: PanelData, ident: str, marks: Marks, whole: DashboardData, points: int) -> Shown:
    panel = data.panel
    unit = _UNITS.get(panel.unit, "")
    scale = _MILLI if panel.unit == "ms" else 1.0
    series = [Series(one.labels, tuple((at, value * scale) for at, value in one.points)) for one in data.series]
    limits = tuple(limit * scale for limit in panel.limits)
    drawn = None
    if panel.kind == "timeseries":
        drawn = plots.plot(
            series,
            name=panel.title,
            unit=unit,
            limits=_drawn_limits(limits, panel.falling, series, unit),
            falling=panel.falling,
            marks=marks,
            ident=ident,
            span=(whole.start, whole.end),
            points=points,
            each_test=False,
        )
        series = list(drawn.series) if drawn else []
    elif panel.kind == "bargauge":
        series.sort(key=lambda one: one.points[-1][1] if one.points else 0.0, reverse=not panel.falling)
    return Shown(
        ident=ident,
        panel=panel,
        error=data.error,
        asked=data.asked,
        values=_values(series, unit, limits, falling=panel.falling),
        plot=Markup(drawn.svg) if drawn else None,  # plots.py escapes every text
        lines=tuple(words.printable(line) for line in data.lines),
        left_out=data.left_out,
        limits=_told(limits, unit, falling=panel.falling),
    )


def _values(series: Sequence[Series], unit: str, limits: Sequence[float], *, falling: bool) -> tuple[Value, ...]:
    """The last value of each series that has one."""
    found = []
    for one in series:
        values = scales.finite(value for _, value in one.points)
        if values:
            found.append((plots.series_name(one, ""), values[-1]))
    largest = max((abs(value) for _, value in found), default=0.0)
    return tuple(
        Value(
            name,
            words.quantity(float(f"{value:.3g}"), unit),
            level(value, limits, falling=falling),
            100 * abs(value) / largest if largest else 0.0,
        )
        for name, value in found
    )


def level(value: float, limits: Sequence[float], *, falling: bool) -> str:
    """pass, warn or fail, as Grafana colours it: from a limit on it is the next step; nothing without limits."""
    if not limits:
        return ""
    passed = sum(value >= limit for limit in limits)
    steps = ["pass", "warn", "fail"] if len(limits) > 1 else ["pass", "fail"]
    return (steps[::-1] if falling else steps)[min(passed, len(steps) - 1)]


def _drawn_limits(limits: Sequence[float], falling: bool, series: Sequence[Series], unit: str) -> list[plots.Limit]:
    values = scales.finite(value for one in series for _, value in one.points)
    reach = _NEAR * max((abs(value) for value in values), default=0.0)
    last = 0 if falling else len(limits) - 1
    sign = "<" if falling else "≥"
    return [
        plots.Limit("fail" if number == last else "warn", limit, f"{sign} {words.quantity(limit, unit)}")
        for number, limit in enumerate(limits)
        if math.isfinite(limit) and abs(limit) <= reach
    ]


def _told(limits: Sequence[float], unit: str, *, falling: bool) -> str:
    """The limits in words: `a warning from 1 %, bad from 5 %`."""
    if not limits:
        return ""
    words_of = [words.quantity(limit, unit) for limit in limits]
    where = "below" if falling else "from"
    warning, bad = (words_of[-1], words_of[0]) if falling else (words_of[0], words_of[-1])
    return f"bad {where} {bad}" if len(limits) == 1 else f"a warning {where} {warning}, bad {where} {bad}"

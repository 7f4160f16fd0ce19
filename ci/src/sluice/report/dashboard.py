"""A dashboard's data → one HTML page that looks like it and needs nothing else: no Grafana, no network, no script.

Public: `render` and `file_name`. Lines come from plots.py, the look from page.css and dashboard.css, the order from
dashboard.html.j2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sluice.dashboards import DashboardData, Panel, PanelData
from sluice.domain import Series, TestResult
from sluice.report import plots, scales, words

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
_MARKS = {"pass": "✓", "warn": "!", "fail": "✗"}

_FOLDER = Path(__file__).parent
_JINJA = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


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


def file_name(uid: str) -> str:
    """The page of a dashboard, beside report.html."""
    return f"dashboard-{uid}.html"


def render(
    data: DashboardData, tests: Sequence[TestResult], *, run_id: str, origin: float, others: Sequence[tuple[str, str]]
) -> str:
    """Return the page. `others` are the titles and uids of all dashboards; `origin` is when the run began."""
    shown = [_panel(one, f"p{number}", tests, origin) for number, one in enumerate(data.panels)]
    style = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "dashboard.css"))
    return _JINJA.get_template("dashboard.html.j2").render(
        style=Markup(style),  # our own files
        dashboard=data.dashboard,
        run_id=run_id,
        began=words.moment(data.start),
        took=words.duration(data.end - data.start),
        step=words.duration(data.step),
        windows=plots.suite_windows(tests, origin),
        values={name: value for name, value in data.values.items() if value},
        others=[(title, file_name(uid), uid == data.dashboard.uid) for title, uid in others],
        rows=[(row, list(panels)) for row, panels in groupby(shown, key=lambda one: one.panel.row)],
        empty=[one for one in shown if one.empty and not one.error],
        failed=[one for one in shown if one.error],
        marks=_MARKS,
    )


def _panel(data: PanelData, ident: str, tests: Sequence[TestResult], origin: float) -> Shown:
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
            tests=tests,
            origin=origin,
            ident=ident,
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

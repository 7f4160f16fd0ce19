"""Series as a line plot in SVG: axes, units, limits, and what ran meanwhile (marks.py).

Positions along the time are in percent and heights in pixels, so that a plot fills a phone or a desk's screen
with letters of one size. Colours come from the page's style sheet, by class.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from itertools import pairwise
from typing import Literal

from sluice.domain import Measurement, ObjectiveResult, Series
from sluice.report import scales, words
from sluice.report.marks import LANE, Marks, draw_failed, draw_lanes
from sluice.report.scales import Point

DRAWN_SERIES = 8
DRAWN_POINTS = 240
_NAME_CHARS = 120
_TOP, _HEIGHT = 14, 150
_LANES = _TOP + _HEIGHT + 4
_AXIS = 16  # the times below
_LABEL_ROOM = 14.0
# Lines have a coordinate system of their own in whole numbers: short to write, and fine enough for any screen.
_WIDE, _FINE = 2000, 4


@dataclass(frozen=True)
class Plot:
    """A plot and what stands beside it: the drawn series with their names, in the order of their colours."""

    svg: str
    names: tuple[str, ...]
    series: tuple[Series, ...]
    left_out: int


@dataclass(frozen=True)
class Frame:
    """The range of a plot: times in seconds since the epoch, values in the objective's unit."""

    start: float
    end: float
    low: float
    high: float

    def x(self, at: float) -> float:
        """Percent from the left edge, kept inside."""
        return min(100.0, max(0.0, 100 * (at - self.start) / (self.end - self.start)))

    def y(self, value: float) -> float:
        """Pixels from the top of the SVG."""
        return _TOP + _HEIGHT * (self.high - value) / (self.high - self.low)


@dataclass(frozen=True)
class Limit:
    """A line across a plot: its class on the page, its value and its words."""

    kind: Literal["pass", "warn", "fail"]
    bound: float
    text: str


def line_plot(
    measurement: Measurement,
    result: ObjectiveResult | None,
    marks: Marks,
    *,
    ident: str,
    span: tuple[float, float] | None = None,
) -> Plot | None:
    """Draw a measurement's series and its objective's criteria; None where no point of them can be drawn.

    `ident` makes the SVG's ids unique on a page; `span` is the time that is shown, that of the points unless given.
    """
    told = result and result.pass_criterion
    return plot(
        measurement.series,
        name=measurement.objective,
        unit=measurement.unit,
        limits=_criteria(result),
        falling=result is not None and result.pass_criterion.startswith(">"),
        remark=f"To pass it takes {words.criterion(told, measurement.unit)}." if told else "",
        marks=marks,
        ident=ident,
        span=span,
    )


def plot(
    series: Sequence[Series],
    *,
    name: str,
    unit: str,
    marks: Marks,
    ident: str,
    limits: Sequence[Limit] = (),
    falling: bool = False,
    remark: str = "",
    span: tuple[float, float] | None = None,
    points: int = DRAWN_POINTS,
    each_test: bool = True,
    clock: Callable[[float], str] = words.clock,
    over: str = "time since the run began",
) -> Plot | None:
    """Draw series over time, the worst where they are many: the highest, or with `falling` the lowest.

    None where no point of them can be drawn; `remark` is for whoever does not see the limits; of a series at most
    about `points` points are drawn. `clock` tells a number of seconds since the marks' origin, `over` what it counts.
    """
    drawable = [one for one in series if any(map(_drawable, one.points))]
    if not drawable:
        return None
    chosen = _worst_first(drawable, falling=falling)[:DRAWN_SERIES]
    # By name, so that a service has one colour in every plot.
    shown = sorted(chosen, key=lambda one: series_name(one, ""))
    frame, ticks = _frame(shown, limits, span)
    inside = marks.within(frame.start, frame.end)
    foot = _LANES + LANE * inside.lanes
    parts = [
        *_axes(frame, ticks, unit, marks.origin, foot, clock),
        *draw_failed(inside, frame, _TOP, _HEIGHT),
        *_lines(shown, frame, points),
        *_limits(limits, frame),
        *draw_lanes(inside, frame, _LANES, each_test=each_test),
    ]
    description = _description(shown, unit, remark, inside)
    title = f"{name} in {unit} over {over}" if unit else f"{name} over {over}"
    svg = (
        f'<svg class="plot" width="100%" height="{foot + _AXIS}" role="img" '
        f'aria-labelledby="{ident}-t" aria-describedby="{ident}-d">'
        f'<title id="{ident}-t">{escape(title)}</title><desc id="{ident}-d">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )
    names = tuple(series_name(one, name) for one in shown)
    return Plot(svg, names, tuple(shown), len(drawable) - len(shown))


def series_name(series: Series, otherwise: str) -> str:
    """A series by its labels: a single one by its value, several as `name=value`."""
    labels = {name: value for name, value in sorted(series.labels.items()) if name != "__name__"}
    told = [f"{name}={value}" for name, value in labels.items()] if len(labels) > 1 else list(labels.values())
    name = ", ".join(told) or otherwise
    return name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…"


def _drawable(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])


def _worst_first(series: Sequence[Series], *, falling: bool) -> list[Series]:
    """The series nearest to missing the criterion come first, since only some are drawn."""

    def badness(one: Series) -> float:
        values = scales.finite(value for _, value in one.points)
        return -min(values) if falling else max(values)

    return sorted(series, key=lambda one: (-badness(one), series_name(one, "")))


def _criteria(result: ObjectiveResult | None) -> list[Limit]:
    """The limits of an objective; a warning's is the looser one."""
    given: list[tuple[Literal["pass", "warn"], str]] = []
    if result:
        given = [("pass", result.pass_criterion), ("warn", result.warn_criterion)]
    found = [(kind, text, words.bound(text)) for kind, text in given]
    return [
        Limit(kind, bound, f"{kind} {words.criterion(text, result.unit)}")
        for kind, text, bound in found
        if result and bound is not None and math.isfinite(bound)
    ]


def _frame(
    shown: Sequence[Series], limits: Sequence[Limit], span: tuple[float, float] | None
) -> tuple[Frame, list[float]]:
    values = [value for series in shown for at, value in series.points if _drawable((at, value))]
    values += [limit.bound for limit in limits]
    ticks = scales.value_ticks(min(0.0, *values), max(0.0, *values))
    times = [at for series in shown for at, value in series.points if _drawable((at, value))]
    start, end = span or (min(times), max(times))
    if end <= start:
        start, end = start - 1, end + 1
    return Frame(start, end, ticks[0], ticks[-1]), ticks


def _axes(
    frame: Frame, ticks: Sequence[float], unit: str, origin: float, foot: float, clock: Callable[[float], str]
) -> list[str]:
    parts = []
    for tick in ticks:
        y = frame.y(tick)
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="2" y="{y - 3:.1f}">{escape(words.quantity(tick, unit))}</text>')
    for at in scales.time_ticks(frame.start - origin, frame.end - origin):
        x = frame.x(at + origin)
        anchor = ' text-anchor="start"' if x < 4 else ' text-anchor="end"' if x > 96 else ""
        parts.append(f'<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{_TOP}" y2="{foot}"/>')
        parts.append(f'<text class="tick at" x="{x:.2f}%" y="{foot + _AXIS - 3}"{anchor}>{escape(clock(at))}</text>')
    return parts


def _lines(shown: Sequence[Series], frame: Frame, points: int) -> list[str]:
    """The series, in a coordinate system of their own that is stretched with the page."""
    paths = []
    for number, series in enumerate(shown):
        path = "".join(map(partial(_path, frame=frame), _runs(scales.thinned(series.points, points))))
        paths.append(f'<path class="line s{number}" vector-effect="non-scaling-stroke" d="{path}"/>')
    return [
        f'<svg y="{_TOP}" width="100%" height="{_HEIGHT}" viewBox="0 0 {_WIDE} {_FINE * _HEIGHT}" '
        f'preserveAspectRatio="none" overflow="visible">{"".join(paths)}</svg>'
    ]


def _path(run: Sequence[Point], *, frame: Frame) -> str:
    """Points without a gap: from the first on each as its distance from the one before."""
    spots = [(round(_WIDE / 100 * frame.x(at)), round(_FINE * (frame.y(value) - _TOP))) for at, value in run]
    # A stroke with round ends and no length is a dot: a point without neighbours can be seen.
    moves = [f"{x - x0} {y - y0}" for (x0, y0), (x, y) in pairwise(spots)] or ["0 0"]
    return f"M{spots[0][0]} {spots[0][1]}l{' '.join(moves)}"


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """The points, split where one cannot be drawn: a gap is shown as a gap."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if _drawable(point):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _limits(limits: Sequence[Limit], frame: Frame) -> list[str]:
    """A line a limit, with its words; of two near each other the lower one has them below it."""
    parts: list[str] = []
    lines = [(limit, frame.y(limit.bound)) for limit in limits]
    for limit, y in lines:
        near_above = any(0 < y - other < _LABEL_ROOM for _, other in lines)
        place = y + 12 if near_above or y < _TOP + _LABEL_ROOM else y - 4
        parts.append(f'<line class="limit {limit.kind}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="limit {limit.kind}" x="100%" y="{place:.1f}" dx="-3" text-anchor="end">'
            f"{escape(limit.text)}</text>"
        )
    return parts


def _description(shown: Sequence[Series], unit: str, remark: str, marks: Marks) -> str:
    """The plot in a few sentences, for whoever does not see it."""
    said = []
    for series in shown:
        values = scales.finite(value for _, value in series.points)
        low, high, last = (words.quantity(value, unit) for value in (min(values), max(values), values[-1]))
        said.append(f"{series_name(series, 'The value')}: from {low} to {high}, at last {last}.")
    said += [remark] if remark else []
    if marks.windows:
        said.append(f"Suites ran: {marks.told()}.")
    if marks.failed:
        said.append(
            f"Tests failed at {', '.join(words.clock(test.started - marks.origin) for test in marks.failed[:9])}."
        )
    return " ".join(said)

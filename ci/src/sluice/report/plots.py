"""Series as a line plot in SVG: axes, units, limits, and the tests' windows.

Positions along the time are in percent and heights in pixels, so that a plot fills a phone or a desk's screen
with letters of one size. Colours come from the page's style sheet, by class.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from sluice.domain import Measurement, ObjectiveResult, Series, TestResult
from sluice.report import scales, words
from sluice.report.scales import Point

DRAWN_SERIES = 8
DRAWN_POINTS = 240
DRAWN_TESTS = 300
_NAME_CHARS = 120
_TOP, _HEIGHT = 22, 150
_LANE = _TOP + _HEIGHT + 6  # below the plot: a small bar a test
_TOTAL = _LANE + 38
_LABEL_ROOM = 14.0


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
    tests: Sequence[TestResult],
    *,
    origin: float,
    ident: str,
) -> Plot | None:
    """Draw a measurement's series and its objective's criteria; None where no point of them can be drawn.

    `origin` is the time that the axis counts from, the run's start; `ident` makes the SVG's ids unique on a
    page.
    """
    told = result and result.pass_criterion
    return plot(
        measurement.series,
        name=measurement.objective,
        unit=measurement.unit,
        limits=_criteria(result),
        falling=result is not None and result.pass_criterion.startswith(">"),
        remark=f"To pass it takes {words.criterion(told, measurement.unit)}." if told else "",
        tests=tests,
        origin=origin,
        ident=ident,
    )


def plot(
    series: Sequence[Series],
    *,
    name: str,
    unit: str,
    tests: Sequence[TestResult],
    origin: float,
    ident: str,
    limits: Sequence[Limit] = (),
    falling: bool = False,
    remark: str = "",
) -> Plot | None:
    """Draw series over time, the worst where they are many: the highest, or with `falling` the lowest.

    None where no point of them can be drawn; `remark` is for whoever does not see the limits.
    """
    drawable = [one for one in series if any(map(_drawable, one.points))]
    if not drawable:
        return None
    chosen = _worst_first(drawable, falling=falling)[:DRAWN_SERIES]
    # By name, so that a service has one colour in every plot.
    shown = sorted(chosen, key=lambda one: series_name(one, ""))
    frame, ticks = _frame(shown, limits)
    inside = [test for test in tests if test.started + test.seconds >= frame.start and test.started <= frame.end]
    windows = _windows(inside)
    parts = [
        *_bands(windows, frame),
        *_axes(frame, ticks, unit, origin),
        *_tests(inside, frame),
        *_lines(shown, frame),
        *_limits(limits, frame),
    ]
    description = _description(shown, unit, remark, suite_windows(inside, origin))
    title = f"{name} in {unit} over time since the run began" if unit else f"{name} over time since the run began"
    svg = (
        f'<svg class="plot" width="100%" height="{_TOTAL}" role="img" aria-labelledby="{ident}-t {ident}-d">'
        f'<title id="{ident}-t">{escape(title)}</title><desc id="{ident}-d">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )
    names = tuple(series_name(one, name) for one in shown)
    return Plot(svg, names, tuple(shown), len(drawable) - len(shown))


def suite_windows(tests: Sequence[TestResult], origin: float) -> str:
    """When each suite ran, in words: `api 2:12 to 2:45, logs 2:45 to 3:09`, counted from `origin`."""
    windows = ((suite, words.clock(start - origin), words.clock(end - origin)) for suite, start, end in _windows(tests))
    return ", ".join(f"{suite} {start} to {end}" for suite, start, end in windows)


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


def _frame(shown: Sequence[Series], limits: Sequence[Limit]) -> tuple[Frame, list[float]]:
    times = [at for series in shown for at, value in series.points if _drawable((at, value))]
    values = [value for series in shown for at, value in series.points if _drawable((at, value))]
    values += [limit.bound for limit in limits]
    ticks = scales.value_ticks(min(0.0, *values), max(0.0, *values))
    start, end = min(times), max(times)
    if end <= start:
        start, end = start - 1, end + 1
    return Frame(start, end, ticks[0], ticks[-1]), ticks


def _windows(tests: Sequence[TestResult]) -> list[tuple[str, float, float]]:
    """From when to when each suite's tests ran, in the order in which they began."""
    found: dict[str, tuple[float, float]] = {}
    for test in tests:
        start, end = found.get(test.suite, (test.started, test.started))
        found[test.suite] = min(start, test.started), max(end, test.started + test.seconds)
    return sorted(((suite, *window) for suite, window in found.items()), key=lambda window: (window[1], window[0]))


def _bands(windows: Sequence[tuple[str, float, float]], frame: Frame) -> list[str]:
    parts, free_from = [], -1.0
    for number, (suite, start, end) in enumerate(windows):
        left, right = frame.x(start), frame.x(end)
        parts.append(
            f'<rect class="band band{number % 2}" '
            f'x="{left:.2f}%" y="{_TOP}" width="{max(right - left, 0.2):.2f}%" '
            f'height="{_HEIGHT}"><title>suite {escape(suite)}</title></rect>'
        )
        # On a phone a letter is about 2 % wide; a name that does not fit is in the text below the plot.
        if left >= free_from and left + 2 * len(suite) <= 100:
            parts.append(f'<text class="suite" x="{left:.2f}%" y="{_TOP - 7}" dx="2">{escape(suite)}</text>')
            free_from = left + 2 * len(suite) + 2
    return parts


def _axes(frame: Frame, ticks: Sequence[float], unit: str, origin: float) -> list[str]:
    parts = []
    for tick in ticks:
        y = frame.y(tick)
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        if tick != ticks[-1]:  # the top line's label would touch the suites' names
            parts.append(f'<text class="tick" x="2" y="{y - 3:.1f}">{escape(words.quantity(tick, unit))}</text>')
    foot = _LANE + 26
    for at in scales.time_ticks(frame.start - origin, frame.end - origin):
        x = frame.x(at + origin)
        anchor = "start" if x < 4 else "end" if x > 96 else "middle"
        parts.append(f'<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{_TOP + _HEIGHT}" y2="{_LANE + 12}"/>')
        parts.append(f'<text class="tick" x="{x:.2f}%" y="{foot}" text-anchor="{anchor}">{words.clock(at)}</text>')
    return parts


def _lines(shown: Sequence[Series], frame: Frame) -> list[str]:
    """The series, in a coordinate system of their own that is stretched with the page."""
    paths = []
    for number, series in enumerate(shown):
        for run in _runs(scales.thinned(series.points, DRAWN_POINTS)):
            spots = [f"{10 * frame.x(at):.1f} {frame.y(value) - _TOP:.2f}" for at, value in run]
            # A stroke with round ends and no length is a dot: a point without neighbours can be seen.
            path = f"M{spots[0]}h0" if len(spots) == 1 else "M" + "L".join(spots)
            paths.append(f'<path class="line s{number}" vector-effect="non-scaling-stroke" d="{path}"/>')
    return [
        f'<svg x="0" y="{_TOP}" width="100%" height="{_HEIGHT}" viewBox="0 0 1000 {_HEIGHT}" '
        f'preserveAspectRatio="none" overflow="visible">{"".join(paths)}</svg>'
    ]


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


def _tests(tests: Sequence[TestResult], frame: Frame) -> list[str]:
    """A bar a test below the plot, a line across it where one failed; of very many, the failed ones first."""
    parts = []
    for test in sorted(tests, key=lambda test: test.outcome in ("passed", "skipped"))[:DRAWN_TESTS]:
        left, right = frame.x(test.started), frame.x(test.started + test.seconds)
        bad = test.outcome not in ("passed", "skipped")
        if bad:
            parts.append(f'<line class="bad" x1="{left:.2f}%" x2="{left:.2f}%" y1="{_TOP}" y2="{_LANE + 10}"/>')
        parts.append(
            f'<rect class="test {test.outcome}" x="{left:.2f}%" width="{max(right - left, 0.3):.2f}%" '
            f'y="{_LANE}" height="{10 if bad else 6}"><title>{escape(test.id)}: {test.outcome}</title></rect>'
        )
    return parts


def _description(shown: Sequence[Series], unit: str, remark: str, windows: str) -> str:
    """The plot in a few sentences, for whoever does not see it."""
    said = []
    for series in shown:
        values = scales.finite(value for _, value in series.points)
        low, high, last = (words.quantity(value, unit) for value in (min(values), max(values), values[-1]))
        said.append(f"{series_name(series, 'The value')}: from {low} to {high}, at last {last}.")
    said += [remark] if remark else []
    if windows:
        said.append(f"Suites ran: {windows}.")
    return " ".join(said)

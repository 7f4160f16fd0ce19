"""What ran when, for beneath and across a plot: suites in lanes, their tests, and the windows of those that failed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

from sluice.compare import state
from sluice.domain import TestResult
from sluice.report import words

LANE = 19  # pixels: a name, a stroke a test below it, and a little room
_LANES = 4  # suites that run side by side beyond these share the last
_STROKES = 14.5
_LETTER = 1.25  # percent of a plot's width that a letter takes on a desk; a phone cuts names off
_TESTS = 2000
_FAILED = 40
_ROOM = 3.0  # percent of the width that a mark's number takes


class Frame(Protocol):
    """The plotted time: from when to when, and where in percent a time lies, kept inside."""

    @property
    def start(self) -> float:
        """Seconds since the epoch."""

    @property
    def end(self) -> float:
        """Seconds since the epoch."""

    def x(self, at: float) -> float:
        """Percent from the left edge."""


@dataclass(frozen=True)
class Window:
    """When a suite's tests ran, and the lane that it is drawn in."""

    suite: str
    start: float
    end: float
    lane: int = 0


@dataclass(frozen=True)
class Marks:
    """A run's tests as they are drawn. `failed` are numbered as the page's section of failed tests numbers them."""

    origin: float
    tests: tuple[TestResult, ...] = ()
    windows: tuple[Window, ...] = ()
    failed: tuple[TestResult, ...] = ()
    flaky: tuple[TestResult, ...] = ()

    @property
    def lanes(self) -> int:
        """How many lanes the suites take."""
        return 1 + max((window.lane for window in self.windows), default=-1)

    def told(self) -> str:
        """When each suite ran, in words: `api 2:12 to 2:45, logs 2:45 to 3:09`, since the run began."""
        return ", ".join(
            f"{one.suite} {words.clock(one.start - self.origin)} to {words.clock(one.end - self.origin)}"
            for one in self.windows
        )

    def within(self, start: float, end: float) -> "Marks":
        """Only what lies in a stretch of time; the failed keep their numbers."""
        inside = [one for one in self.windows if one.end >= start and one.start <= end]
        return Marks(self.origin, self.tests, tuple(inside), self.failed, self.flaky)


def marks(tests: Sequence[TestResult], origin: float) -> Marks:
    """Arrange tests for plots that count their time from `origin`, the run's start."""
    timed = tuple(test for test in tests if math.isfinite(test.started) and math.isfinite(test.seconds))
    return Marks(
        origin,
        timed,
        _in_lanes(_windows(timed)),
        tuple(sorted((one for one in tests if state(one) == "fails"), key=_order)),
        tuple(sorted((one for one in tests if state(one) == "flaky"), key=_order)),
    )


def _order(test: TestResult) -> tuple[float, str]:
    """By start; without a time it comes last and is not drawn."""
    return test.started if math.isfinite(test.started + test.seconds) else math.inf, test.id


def _windows(tests: Sequence[TestResult]) -> list[Window]:
    found: dict[str, Window] = {}
    for test in tests:
        end = test.started + test.seconds
        known = found.get(test.suite, Window(test.suite, test.started, end))
        found[test.suite] = Window(test.suite, min(known.start, test.started), max(known.end, end))
    return sorted(found.values(), key=lambda window: (window.start, window.suite))


def _in_lanes(windows: Sequence[Window]) -> tuple[Window, ...]:
    """Give each window the first lane that is free when it begins."""
    free: list[float] = []
    placed = []
    for window in windows:
        lane = next((number for number, until in enumerate(free) if until <= window.start), len(free))
        lane = min(lane, _LANES - 1)
        free[lane : lane + 1] = [window.end]
        placed.append(Window(window.suite, window.start, window.end, lane))
    return tuple(placed)


def draw_lanes(shown: Marks, frame: Frame, top: float, *, each_test: bool) -> list[str]:
    """A bar a suite with its name, and with `each_test` a stroke a test below it."""
    parts = []
    for number, one in enumerate(shown.windows):
        if one.end < frame.start or one.start > frame.end:
            continue
        left, y = frame.x(one.start), top + LANE * one.lane
        width = max(frame.x(one.end) - left, 0.3)
        name = f'<text class="suite" x="3" y="10">{escape(one.suite)}</text>'
        parts.append(
            f'<svg x="{left:.2f}%" y="{y:g}" width="{width:.2f}%" height="{LANE - 2}">'
            f'<rect class="band{number % 2}" width="100%" height="100%"/>'
            f"{name if width > _LETTER * len(one.suite) else ''}<title>suite {escape(one.suite)}</title></svg>"
        )
    if each_test:
        parts += _strokes(shown, frame, top)
    return parts


def _strokes(shown: Marks, frame: Frame, top: float) -> list[str]:
    """All tests that did not fail as one path in a coordinate system that is stretched with the page."""
    lane = {window.suite: window.lane for window in shown.windows}
    spots = []
    for test in shown.tests[:_TESTS]:
        end = test.started + test.seconds
        if test.outcome != "passed" or end < frame.start or test.started > frame.end or test.suite not in lane:
            continue
        left, right = 20 * frame.x(test.started), 20 * frame.x(end)
        # A little short of its end: neighbours can be told apart.
        spots.append(f"M{left:.0f} {LANE * lane[test.suite] + _STROKES:g}h{max(0.9 * (right - left), 1):.0f}")
    if not spots:
        return []
    height = LANE * shown.lanes
    return [
        f'<svg y="{top:g}" width="100%" height="{height}" viewBox="0 0 2000 {height}" preserveAspectRatio="none">'
        f'<path class="tests" vector-effect="non-scaling-stroke" d="{"".join(spots)}"/></svg>'
    ]


def draw_failed(shown: Marks, frame: Frame, top: float, height: float) -> list[str]:
    """The window of each failed test across the plot, with its number; of a flaky one with an exclamation mark."""
    parts: list[str] = []
    free_from = -1.0
    marked = [("bad", f"✗{number}", test) for number, test in enumerate(shown.failed[:_FAILED], 1)]
    marked += [("flaky", "!", test) for test in shown.flaky[:_FAILED]]
    for kind, mark, test in sorted(marked, key=lambda one: _order(one[2])):
        end = test.started + test.seconds
        if not (end >= frame.start and test.started <= frame.end):  # nor where it is no time
            continue
        left = frame.x(test.started)
        width = max(frame.x(end) - left, 0.4)
        word = "failed" if kind == "bad" else "flaky"
        parts.append(
            f'<g class="{kind}"><rect x="{left:.2f}%" y="{top:g}" width="{width:.2f}%" height="{height:g}"/>'
            f'<line x1="{left:.2f}%" x2="{left:.2f}%" y1="{top:g}" y2="{top + height:g}"/>'
            f"<title>{word}: {escape(test.id)}</title>"
        )
        if left >= free_from:
            anchor = ' text-anchor="end" dx="-3"' if left > 100 - _ROOM else ' dx="3"'
            parts.append(f'<text x="{left:.2f}%" y="{top + 11:g}"{anchor}>{mark}</text>')
            free_from = left + _ROOM
        parts.append("</g>")
    return parts

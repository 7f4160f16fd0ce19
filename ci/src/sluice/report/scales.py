"""The arithmetic of plots: ranges, ticks, and fewer points that keep every spike."""

import math
from collections.abc import Iterable, Sequence

Point = tuple[float, float]

_LARGEST = 1e300
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)


def finite(values: Iterable[float]) -> list[float]:
    """The values that can be drawn."""
    return [value for value in values if math.isfinite(value)]


def value_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that enclose a range, with steps of 1, 2 or 5 times a power of ten; at least two."""
    # What floats can still divide and subtract: beyond it a value is drawn outside of the plot.
    low, high = max(low, -_LARGEST), min(high, _LARGEST)
    if high - low <= max(abs(low), abs(high)) * 1e-9:  # nothing to tell apart: from 0 to the value
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1 / _LARGEST:
        low, high = 0.0, 1.0
    span = high - low
    step = 10 ** math.floor(math.log10(span / about))
    for factor in (1, 2, 5, 10):
        if span / (step * factor) <= about:
            step *= factor
            break
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) if abs(step) > 1e-9 else number * step for number in range(first, last + 1)]


def time_ticks(start: float, end: float, about: int = 6) -> list[float]:
    """Times in a range of seconds, at steps that clocks have; none where the range is no time."""
    span = end - start
    if not (math.isfinite(span) and span > 0):
        return []
    step = next((step for step in _TIME_STEPS if span / step <= about), math.ceil(span / about / 86_400) * 86_400)
    return [float(number * step) for number in range(math.ceil(start / step), math.floor(end / step) + 1)]


def thinned(points: Sequence[Point], limit: int) -> list[Point]:
    """At most about `limit` points: of each stretch the lowest and the highest, so that no spike is lost.

    What is not finite stays as a gap, one point per stretch.
    """
    if len(points) <= limit:
        return list(points)
    per_stretch = math.ceil(2 * len(points) / limit)
    kept: list[Point] = []
    for first in range(0, len(points), per_stretch):
        stretch = points[first : first + per_stretch]
        drawn = [point for point in stretch if math.isfinite(point[1])]
        if not drawn:
            kept.append(stretch[0])
            continue
        chosen = {min(drawn, key=lambda point: point[1]), max(drawn, key=lambda point: point[1])}
        kept += sorted(chosen)
    return kept

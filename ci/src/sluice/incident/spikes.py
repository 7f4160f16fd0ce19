"""Log spikes: minutes with more lines of a level than the hour before the window lets one expect.

A minute is one of a spike where it has at least 5 lines and more than m + 4 × √m, m being the mean a minute in the
hour before: of independent lines at a steady rate (Poisson's distribution, whose variance is its mean) at most 4
minutes in a thousand have as many by chance. Lines come in bursts, so a spike says "look here", and nothing about a
cause.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST_LINES = 5
DEVIATIONS = 4.0
MINUTE, BEFORE_SECONDS = 60.0, 3600.0
METHOD = (
    "Log spikes: minutes with at least 5 lines of a level and more than m + 4 × √m, where m is the mean a minute of the"
    " hour before; minutes that follow each other are one spike."
)

Point = tuple[float, float]


@dataclass(frozen=True)
class Spike:
    """`start` and `end` in seconds since the epoch; `usual` is the mean a minute in the hour before."""

    start: float
    end: float
    lines: int
    highest: int
    usual: float


def spikes(points: Sequence[Point], *, start: float, usual: float) -> list[Spike]:
    """Return the spikes of a series: each point has the lines of the minute before it. `usual` is m.

    Points before `start` are left out; so is what is no number.
    """
    limit = max(float(FEWEST_LINES), math.nextafter(usual + DEVIATIONS * math.sqrt(usual), math.inf))
    found: list[Spike] = []
    for at, count in points:
        if at <= start or not math.isfinite(count) or count < limit:
            continue
        last = found[-1] if found else None
        if last and at - last.end <= 1.5 * MINUTE:
            found[-1] = Spike(last.start, at, last.lines + round(count), max(last.highest, round(count)), usual)
        else:
            found.append(Spike(at - MINUTE, at, round(count), round(count), usual))
    return found


def mean_before(points: Sequence[Point], start: float) -> float:
    """Return the mean a minute in the hour before `start`; Loki has no point of a minute without a line."""
    inside = (count for at, count in points if start - BEFORE_SECONDS < at <= start and math.isfinite(count))
    return sum(inside) / (BEFORE_SECONDS / MINUTE)

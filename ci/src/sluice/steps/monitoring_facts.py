"""What Prometheus says of itself over the suites' window: how its clock goes, what it missed, since when it runs."""

import math
import time
from collections.abc import Callable, Sequence

import anyio

from sluice.domain import Monitoring, Series
from sluice.errors import in_a_line
from sluice.ports import Metrics

_TRIES = 3
_POINTS = 200
# Of whatever job a Prometheus is scraped by: it alone has this build_info.
_STARTS = "process_start_time_seconds and on (job, instance, namespace, pod) prometheus_build_info"
_LAST_SCRAPE = "max(timestamp(up))"


async def about_prometheus(
    metrics: Metrics,
    started: float,
    ended: float,
    *,
    deadline_seconds: float,
    clock: Callable[[], float] = time.time,
) -> Monitoring:
    """Ask Prometheus about itself over a window (seconds since the epoch); raises nothing but cancellation.

    `clock` is this host's. Of three answers to `time()` the one with the shortest round trip tells the clocks apart,
    as in Cristian's algorithm (F. Cristian, Probabilistic clock synchronization, 1989): the answer belongs to some
    moment of the trip, taken as its middle, so it is known to half of it.
    """
    blank = Monitoring(started, ended, error=f"no answer within {deadline_seconds:g} s")
    step = max(1.0, math.ceil((ended - started) / _POINTS))
    with anyio.move_on_after(deadline_seconds):
        try:
            trips = [await _trip(metrics, clock) for _ in range(_TRIES)]
            error, skew = min(trips)
            scrapes = await metrics.range(_LAST_SCRAPE, start=started, end=ended, step=step)
            starts = await metrics.range(_STARTS, start=started, end=ended, step=step)
        except Exception as wrong:  # noqa: BLE001 - as with any other query: the gate fails for it, not the run
            return Monitoring(started, ended, error=in_a_line(wrong))
        return Monitoring(
            window_started=started,
            window_ended=ended,
            clock_skew_seconds=skew,
            clock_error_seconds=error,
            starts=tuple(sorted({value for series in starts for _, value in series.points})),
            longest_gap_seconds=longest_gap(scrapes, started, ended, step),
        )
    return blank


def longest_gap(scrapes: Sequence[Series], started: float, ended: float, step: float) -> float:
    """The longest time without a scrape, in seconds, of a series whose value at a time is when the last one was.

    A point is there for five minutes after a scrape, so its age counts; where points are missing, all of the time does.
    """
    points = sorted(point for series in scrapes for point in series.points)
    gap, before = 0.0, started
    for at, scraped in points:
        missing = at - before if at - before > 1.5 * step else 0.0
        gap, before = max(gap, at - scraped, missing), at
    return max(gap, ended - before if ended - before > 1.5 * step else 0.0)


async def _trip(metrics: Metrics, clock: Callable[[], float]) -> tuple[float, float]:
    """Half of the round trip, and the server's clock less ours at its middle, in seconds."""
    before = clock()
    answer = await metrics.instant("time()")
    after = clock()
    return (after - before) / 2, answer[0].points[0][1] - (before + after) / 2

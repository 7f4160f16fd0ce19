"""A month of an SLO, from what was recorded hour by hour: attained, spent, how it burned, and how much is known.

Budgeting by occurrences (docs/slo.md): the budget of a month is the allowed share of the events that the month had, and
each event weighs the same. Hours of which nothing is known count neither as good nor as bad: `coverage` tells them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ConfigDict

from sluice.errors import SettingsError
from sluice.measured import Series

HOUR, DAY = 3600.0, 86_400.0
_NO_LINE = Series({}, ())
WORST = 3


@dataclass(frozen=True)
class Span:
    """A calendar month in UTC, as far as it is over: times in seconds since the epoch, at whole hours."""

    name: str
    start: float
    end: float
    month_end: float

    @property
    def whole(self) -> bool:
        """Whether the month is over."""
        return self.end >= self.month_end


@dataclass(frozen=True)
class Hour:
    """What was recorded in the hour up to `until`: events, the bad ones of them, and which share of it is known."""

    until: float
    events: float
    bad: float
    known: float


@dataclass(frozen=True)
class Day:
    """A day of the month, such as 2026-11-07, and the share of the month's budget that it spent."""

    date: str
    spent: float
    bad: float


@dataclass(frozen=True)
class SloMonth:
    """What became of an objective. None is: that is not known, or nothing happened.

    `attained` is the share of good events, `spent` the share of the month's budget, `coverage` how much of the time is
    known. `rolling_left` is what is left of the budget of 30 days at the end, as Prometheus records it: by it the stage
    of the policy goes. `burn` is the share spent so far, by time; NaN where nothing is known.
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    service: str
    name: str
    objective: float
    coverage: float
    events: float = 0.0
    bad: float = 0.0
    attained: float | None = None
    spent: float | None = None
    left: float | None = None
    worst: tuple[Day, ...] = ()
    burn: Series = _NO_LINE
    rolling_left: float | None = None
    stage: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the month kept the objective; None where that cannot be said."""
        return None if self.spent is None else self.spent <= 1


@dataclass(frozen=True)
class SloReport:
    """All objectives of a target in a month, as they are written to a file."""

    schema: str
    target: str
    month: Span
    objectives: tuple[SloMonth, ...]


def span(text: str, *, now: float) -> Span:
    """Return a month as `2026-11`; without text the one of `now`. Raises SettingsError for one that is none."""
    today = datetime.fromtimestamp(now, UTC)
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC) if text else today.replace(day=1)
    except ValueError:
        raise _refused(f"--month {text}: no month", today) from None
    first = first.replace(hour=0, minute=0, second=0, microsecond=0)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    start, over = first.timestamp(), following.timestamp()
    end = min(over, now // HOUR * HOUR)
    if end <= start:
        why = "has not begun" if start > now else "is not an hour old"
        raise _refused(f"--month {first:%Y-%m}: it {why}", today)
    return Span(f"{first:%Y-%m}", start, end, over)


def _refused(mistake: str, today: datetime) -> SettingsError:
    return SettingsError(
        "the command line",
        [mistake],
        expected=f"a month in UTC that has begun, such as {today:%Y-%m}",
        next_command="./nox -s slo_report -- --help",
    )


def month_of(service: str, name: str, objective: float, budget: float, hours: Sequence[Hour], when: Span) -> SloMonth:
    """Return what became of an SLO. `budget` is the share that may be bad; what is not in `hours` is not known."""
    inside = [one for one in hours if when.start < one.until <= when.end and _is_known(one)]
    coverage = sum(min(1.0, one.known) for one in inside) / ((when.end - when.start) / HOUR)
    events, bad = sum(one.events for one in inside), sum(one.bad for one in inside)
    if events <= 0:
        return SloMonth(service, name, objective, coverage)
    allowed = budget * events
    return SloMonth(
        service,
        name,
        objective,
        coverage,
        events=events,
        bad=bad,
        attained=1 - bad / events,
        spent=bad / allowed,
        left=1 - bad / allowed,
        worst=_worst(inside, allowed),
        burn=Series({"slo": f"{service} {name}"}, _burn(inside, when, allowed)),
    )


def _is_known(hour: Hour) -> bool:
    return hour.known > 0 and math.isfinite(hour.events) and math.isfinite(hour.bad)


def _worst(hours: Sequence[Hour], allowed: float) -> tuple[Day, ...]:
    """The days that spent most, of those that spent anything."""
    by_day: dict[str, float] = {}
    for one in hours:
        date = datetime.fromtimestamp(one.until - HOUR, UTC).strftime("%Y-%m-%d")
        by_day[date] = by_day.get(date, 0.0) + one.bad
    ordered = sorted(by_day.items(), key=lambda day: (-day[1], day[0]))
    return tuple(Day(date, bad / allowed, bad) for date, bad in ordered[:WORST] if bad > 0)


def _burn(hours: Sequence[Hour], when: Span, allowed: float) -> tuple[tuple[float, float], ...]:
    """The share spent so far at the end of each hour; a gap where the hour is not known."""
    bad = {one.until: one.bad for one in hours}
    points, so_far = [], 0.0
    for number in range(1, round((when.end - when.start) / HOUR) + 1):
        until = when.start + number * HOUR
        so_far += bad.get(until, 0.0)
        points.append((until, so_far / allowed if until in bad else math.nan))
    return tuple(points)

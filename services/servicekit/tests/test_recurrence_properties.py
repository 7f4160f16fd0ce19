"""Rules against plain counting: for daily and monthly rules a calendar can be walked day by day."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from servicekit.recurrence import next_occurrence

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
MINUTE = timedelta(minutes=1)
# Whole minutes from 1990 on, for a century.
STARTS = st.integers(0, 100 * 366 * 1440).map(lambda minutes: datetime(1990, 1, 1, tzinfo=UTC) + minutes * MINUTE)
MOST_DAYS = 4_000


def joined(name: str, values: frozenset[object]) -> str:
    """Return a part of a rule, nothing where it has no values."""
    return f";{name}={','.join(map(str, sorted(values, key=str)))}" if values else ""


def matches(day: date, weekdays: frozenset[str], months: frozenset[int], month_days: frozenset[int]) -> bool:
    """Say whether a date is one that the parts name."""
    length = calendar.monthrange(day.year, day.month)[1]
    return (
        (not weekdays or DAYS[day.weekday()] in weekdays)
        and (not months or day.month in months)
        and (not month_days or day.day in month_days or day.day - length - 1 in month_days)
    )


def walked(first: datetime, zone: str, step: object, named: object) -> datetime | None:
    """Walk the days after the first one and return the first that counts, placed into its zone."""
    local = first.astimezone(ZoneInfo(zone))
    for number in range(1, MOST_DAYS):
        day = local.date() + timedelta(days=number)
        if step(day) and named(day):  # type: ignore[operator]
            wall = datetime.combine(day, local.time()).replace(tzinfo=ZoneInfo(zone), fold=0)
            return wall.astimezone(UTC)
    return None


@settings(max_examples=150, deadline=None)
@given(
    start=STARTS,
    zone=ZONES,
    interval=st.integers(1, 40),
    weekdays=st.frozensets(st.sampled_from(DAYS), max_size=3),
    months=st.frozensets(st.integers(1, 12), max_size=3),
    month_days=st.frozensets(st.integers(1, 28) | st.integers(-28, -1), max_size=3),
)
def test_daily_rules_are_as_walked(
    start: datetime,
    zone: str,
    interval: int,
    weekdays: frozenset[str],
    months: frozenset[int],
    month_days: frozenset[int],
) -> None:
    rule = f"FREQ=DAILY;INTERVAL={interval}" + joined("BYDAY", weekdays) + joined("BYMONTH", months)
    rule += joined("BYMONTHDAY", month_days)
    first = start.astimezone(ZoneInfo(zone)).date()
    expected = walked(
        start,
        zone,
        lambda day: (day - first).days % interval == 0,
        lambda day: matches(day, weekdays, months, month_days),
    )
    found = next_occurrence(rule, zone, start, start)
    if expected is None:
        assert found is None or found > start + timedelta(days=MOST_DAYS - 2)
    else:
        assert found == expected


@settings(max_examples=100, deadline=None)
@given(
    start=STARTS,
    zone=ZONES,
    interval=st.integers(1, 14),
    month_days=st.frozensets(st.integers(1, 31) | st.integers(-31, -1), min_size=1, max_size=4),
)
def test_monthly_rules_are_as_walked(start: datetime, zone: str, interval: int, month_days: frozenset[int]) -> None:
    first = start.astimezone(ZoneInfo(zone)).date()
    expected = walked(
        start,
        zone,
        lambda day: ((day.year - first.year) * 12 + day.month - first.month) % interval == 0,
        lambda day: matches(day, frozenset(), frozenset(), month_days),
    )
    rule = f"FREQ=MONTHLY;INTERVAL={interval}" + joined("BYMONTHDAY", month_days)
    found = next_occurrence(rule, zone, start, start)
    if expected is None:
        assert found is None or found > start + timedelta(days=MOST_DAYS - 2)
    else:
        assert found == expected


@settings(max_examples=60, deadline=None)
@given(
    start=STARTS,
    zone=ZONES,
    rule=st.sampled_from(
        ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY;BYMONTHDAY=-1;BYMONTH=2"]
    ),
    count=st.integers(1, 12),
)
def test_a_series_goes_on_and_ends_after_its_count(start: datetime, zone: str, rule: str, count: int) -> None:
    found = [start]
    while (after := next_occurrence(f"{rule};COUNT={count}", zone, start, found[-1])) is not None:
        assert after > found[-1]
        found.append(after)
    assert len(found) == count
    endless = [start]
    while len(endless) < count:
        after = next_occurrence(rule, zone, start, endless[-1])
        assert after is not None
        endless.append(after)
    assert endless == found

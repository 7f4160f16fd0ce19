"""When a rule comes, against tables that were not made with this code.

The first table is that of RFC 5545, section 3.8.5.3, all at nine in New York. The others are calendars' own facts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from servicekit.recurrence import next_occurrence

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"


def series(rule: str, zone: str, start: datetime, most: int) -> list[datetime]:
    """Return the first occurrences in the zone's wall time, as the services find them: one after the other."""
    found = [start]
    while len(found) < most and (after := next_occurrence(rule, zone, start, found[-1])) is not None:
        found.append(after)
    return [instant.astimezone(ZoneInfo(zone)) for instant in found]


def dates(start: str, rule: str, most: int) -> str:
    """Return the dates of a series that begins at nine in New York, months once."""
    begin = datetime.fromisoformat(f"{start}T09:00:00").replace(tzinfo=ZoneInfo(NEW_YORK))
    told: list[str] = []
    month = ""
    for local in series(rule, NEW_YORK, begin, most):
        assert (local.hour, local.minute) == (9, 0), "nine stays nine"
        if (current := f"{local:%Y-%m}") != month:
            month = current
            told.append(f"{month}:")
        told.append(str(local.day))
    return " ".join(told)


# Start, rule, how many to ask for, dates.
RFC_5545 = [
    ("1997-09-02", "FREQ=DAILY;COUNT=10", 20, "1997-09: 2 3 4 5 6 7 8 9 10 11"),
    ("1997-09-02", "FREQ=DAILY;INTERVAL=10;COUNT=5", 20, "1997-09: 2 12 22 1997-10: 2 12"),
    ("1997-09-02", "FREQ=DAILY;INTERVAL=2", 6, "1997-09: 2 4 6 8 10 12"),
    ("1997-09-02", "FREQ=WEEKLY;COUNT=10", 20, "1997-09: 2 9 16 23 30 1997-10: 7 14 21 28 1997-11: 4"),
    ("1997-09-02", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", 6, "1997-09: 2 16 30 1997-10: 14 28 1997-11: 11"),
    (
        "1997-09-02",
        "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
        20,
        "1997-09: 2 4 9 11 16 18 23 25 30 1997-10: 2",
    ),
    ("1997-09-02", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", 20, "1997-09: 2 4 9 11 16 18 23 25 30 1997-10: 2"),
    (
        "1997-09-01",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        50,
        "1997-09: 1 3 5 15 17 19 29 1997-10: 1 3 13 15 17 27 29 31 1997-11: 10 12 14 24 26 28 1997-12: 8 10 12 22",
    ),
    ("1997-09-02", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", 20, "1997-09: 2 4 16 18 30 1997-10: 2 14 16"),
    (
        "1997-09-05",
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        20,
        "1997-09: 5 1997-10: 3 1997-11: 7 1997-12: 5 1998-01: 2 1998-02: 6 1998-03: 6 1998-04: 3 1998-05: 1 1998-06: 5",
    ),
    ("1997-09-05", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", 20, "1997-09: 5 1997-10: 3 1997-11: 7 1997-12: 5"),
    (
        "1997-09-07",
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        20,
        "1997-09: 7 28 1997-11: 2 30 1998-01: 4 25 1998-03: 1 29 1998-05: 3 31",
    ),
    (
        "1997-09-22",
        "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        20,
        "1997-09: 22 1997-10: 20 1997-11: 17 1997-12: 22 1998-01: 19 1998-02: 16",
    ),
    (
        "1997-09-28",
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        6,
        "1997-09: 28 1997-10: 29 1997-11: 28 1997-12: 29 1998-01: 29 1998-02: 26",
    ),
    (
        "1997-09-02",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        20,
        "1997-09: 2 15 1997-10: 2 15 1997-11: 2 15 1997-12: 2 15 1998-01: 2 15",
    ),
    (
        "1997-09-30",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        20,
        "1997-09: 30 1997-10: 1 31 1997-11: 1 30 1997-12: 1 31 1998-01: 1 31 1998-02: 1",
    ),
    (
        "1997-09-10",
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        20,
        "1997-09: 10 11 12 13 14 15 1999-03: 10 11 12 13",
    ),
    ("1997-09-02", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", 10, "1997-09: 2 9 16 23 30 1997-11: 4 11 18 25 1998-01: 6"),
    (
        "1997-03-10",
        "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        20,
        "1997-03: 10 1999-01: 10 1999-02: 10 1999-03: 10 2001-01: 10 2001-02: 10 2001-03: 10 2003-01: 10 2003-02: 10"
        " 2003-03: 10",
    ),
    (
        "1997-01-01",
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        20,
        "1997-01: 1 1997-04: 10 1997-07: 19 2000-01: 1 2000-04: 9 2000-07: 18 2003-01: 1 2003-04: 10 2003-07: 19"
        " 2006-01: 1",
    ),
    ("1997-05-19", "FREQ=YEARLY;BYDAY=20MO", 3, "1997-05: 19 1998-05: 18 1999-05: 17"),
    ("1997-05-12", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", 3, "1997-05: 12 1998-05: 11 1999-05: 17"),
    ("1997-03-13", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", 7, "1997-03: 13 20 27 1998-03: 5 12 19 26"),
    (
        "1998-02-13",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        5,
        "1998-02: 13 1998-03: 13 1998-11: 13 1999-08: 13 2000-10: 13",
    ),
    (
        "1997-09-13",
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        6,
        "1997-09: 13 1997-10: 11 1997-11: 8 1997-12: 13 1998-01: 10 1998-02: 7",
    ),
    (
        "1996-11-05",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        3,
        "1996-11: 5 2000-11: 7 2004-11: 2",
    ),
    ("1997-09-04", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", 20, "1997-09: 4 1997-10: 7 1997-11: 6"),
    (
        "1997-09-29",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        7,
        "1997-09: 29 1997-10: 30 1997-11: 27 1997-12: 30 1998-01: 29 1998-02: 26 1998-03: 30",
    ),
    ("1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", 20, "1997-08: 5 10 19 24"),
    ("1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", 20, "1997-08: 5 17 19 31"),
    ("2007-01-15", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", 20, "2007-01: 15 30 2007-02: 15 2007-03: 15 30"),
]

CALENDAR = [
    ("2026-01-31", "FREQ=MONTHLY", 5, "2026-01: 31 2026-03: 31 2026-05: 31 2026-07: 31 2026-08: 31"),
    ("2026-01-30", "FREQ=MONTHLY", 3, "2026-01: 30 2026-03: 30 2026-04: 30"),
    ("2026-01-31", "FREQ=MONTHLY;BYMONTHDAY=-1", 5, "2026-01: 31 2026-02: 28 2026-03: 31 2026-04: 30 2026-05: 31"),
    ("2028-01-31", "FREQ=MONTHLY;BYMONTHDAY=-1", 2, "2028-01: 31 2028-02: 29"),
    ("2024-02-29", "FREQ=YEARLY", 3, "2024-02: 29 2028-02: 29 2032-02: 29"),
    ("2096-02-29", "FREQ=YEARLY", 2, "2096-02: 29 2104-02: 29"),
    ("2024-02-29", "FREQ=YEARLY;BYMONTHDAY=-1;BYMONTH=2", 3, "2024-02: 29 2025-02: 28 2026-02: 28"),
    ("2024-02-29", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU", 2, "2024-02: 29 2032-02: 29"),
    ("2026-11-25", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", 5, "2026-11: 25 26 27 30 2026-12: 1"),
    ("2026-01-01", "FREQ=DAILY;INTERVAL=100", 4, "2026-01: 1 2026-04: 11 2026-07: 20 2026-10: 28"),
    # A first due date that the rule does not name is the first occurrence all the same.
    ("2026-11-24", "FREQ=WEEKLY;BYDAY=MO;COUNT=3", 20, "2026-11: 24 30 2026-12: 7"),
    ("2026-11-24", "FREQ=DAILY;BYDAY=MO;COUNT=2", 20, "2026-11: 24 30"),
    ("2026-11-24", "FREQ=DAILY;COUNT=1", 20, "2026-11: 24"),
]


@pytest.mark.parametrize(("start", "rule", "most", "expected"), RFC_5545 + CALENDAR)
def test_a_series_comes_when_its_rule_says(start: str, rule: str, most: int, expected: str) -> None:
    assert dates(start, rule, most) == expected


@pytest.mark.parametrize(("until", "last"), [
    ("19971224T000000Z", "1997-12-23"),
    ("19971224T140000Z", "1997-12-24"),  # nine in New York
    ("19971224T135959Z", "1997-12-23"),
    ("19971224", "1997-12-24"),  # a date means that whole day
    ("19970902", "1997-09-02"),
])  # fmt: skip
def test_an_end_is_an_instant_or_a_whole_day(until: str, last: str) -> None:
    begin = datetime(1997, 9, 2, 9, tzinfo=ZoneInfo(NEW_YORK))
    found = series(f"FREQ=DAILY;UNTIL={until}", NEW_YORK, begin, 200)
    assert f"{found[-1]:%Y-%m-%d}" == last
    assert len(found) == (found[-1].date() - begin.date()).days + 1


# Zone, wall time of the first, how many days before the change it is, and the instants around the change in UTC.
CHANGES = [
    (BERLIN, "2026-03-27T09:00:00", "27T08:00 28T08:00 29T07:00 30T07:00"),
    (BERLIN, "2026-03-27T02:30:00", "27T01:30 28T01:30 29T01:30 30T00:30"),  # 02:30 is left out: 03:30
    (BERLIN, "2026-10-23T02:30:00", "23T00:30 24T00:30 25T00:30 26T01:30"),  # 02:30 comes twice: the first
    (NEW_YORK, "2026-03-06T09:00:00", "06T14:00 07T14:00 08T13:00 09T13:00"),
    (NEW_YORK, "2026-03-06T02:30:00", "06T07:30 07T07:30 08T07:30 09T06:30"),
    (NEW_YORK, "2026-10-30T01:30:00", "30T05:30 31T05:30 01T05:30 02T06:30"),
]


@pytest.mark.parametrize(("zone", "first", "expected"), CHANGES)
def test_the_wall_time_stays_when_clocks_change(zone: str, first: str, expected: str) -> None:
    begin = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = [f"{local.astimezone(UTC):%dT%H:%M}" for local in series("FREQ=DAILY", zone, begin, 4)]
    assert " ".join(found) == expected


def test_in_the_hour_that_comes_twice_later_is_later() -> None:
    start = datetime(2026, 10, 24, 0, 30, tzinfo=UTC)  # 02:30 in Berlin
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert next_occurrence("FREQ=DAILY", BERLIN, start, first - timedelta(seconds=1)) == first
    for after in (first, first + timedelta(minutes=45), second):
        assert next_occurrence("FREQ=DAILY", BERLIN, start, after) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_what_the_left_out_hour_moved_is_not_skipped() -> None:
    start = datetime(2026, 3, 28, 1, 30, tzinfo=UTC)  # 02:30 in Berlin; on the 29th that is 03:30
    after = datetime(2026, 3, 29, 1, 15, tzinfo=UTC)  # 03:15
    assert next_occurrence("FREQ=DAILY", BERLIN, start, after) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_before_its_start_the_next_is_the_start() -> None:
    start = datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert next_occurrence("FREQ=WEEKLY;BYDAY=MO", "UTC", start, start - timedelta(days=30)) == start


def test_a_zone_a_day_ahead_counts_its_own_days() -> None:
    start = datetime(2026, 11, 30, 11, tzinfo=UTC)  # already 1 December in Kiritimati
    found = series("FREQ=MONTHLY;BYMONTHDAY=1", "Pacific/Kiritimati", start, 3)
    assert [f"{local:%m-%d %H}" for local in found] == ["12-01 01", "01-01 01", "02-01 01"]


def test_what_was_missed_is_passed_over_but_counted() -> None:
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    late = start + timedelta(days=25)
    assert next_occurrence("FREQ=WEEKLY;COUNT=5", "UTC", start, late) == start + timedelta(days=28)
    assert next_occurrence("FREQ=WEEKLY;COUNT=4", "UTC", start, late) is None
    assert len(list(islice(series("FREQ=WEEKLY;COUNT=4", "UTC", start, 10), 10))) == 4

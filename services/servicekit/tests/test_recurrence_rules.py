"""What is a rule: what is none is refused with words that say why, and nothing takes long to refuse."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st

from servicekit.recurrence import RecurrenceError, check_rule, check_series, next_occurrence, zone_of

START = datetime(2026, 1, 5, 9, tzinfo=UTC)  # a Monday

GOOD = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=10000",
    "INTERVAL=2;FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR;WKST=SU",
    "FREQ=MONTHLY;BYDAY=2TU",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYMONTHDAY=+1,15",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYDAY=53MO",
    "FREQ=YEARLY;BYWEEKNO=1,-1;BYDAY=MO",
    "FREQ=YEARLY;BYYEARDAY=-1,366",
    "FREQ=DAILY;COUNT=10000",
    "FREQ=DAILY;UNTIL=20301231",
    "FREQ=DAILY;UNTIL=20301231T235959Z",
]

BAD = {
    "": "must be like FREQ=WEEKLY",
    "daily": "must be like FREQ=WEEKLY",
    "FREQ=DAILY ": "must be like FREQ=WEEKLY",
    "freq=daily": "must be like FREQ=WEEKLY",
    "FREQ=DAILY\nRRULE:FREQ=WEEKLY": "must be like FREQ=WEEKLY",
    "FREQ=DAILY;BYDAY=MO\nEXDATE:20300101": "must be like FREQ=WEEKLY",
    "FREQ=DÄILY": "must be like FREQ=WEEKLY",
    "FREQ": "'FREQ' is not NAME=VALUE",
    "FREQ=": "'FREQ=' is not NAME=VALUE",
    "FREQ=DAILY;": "'' is not NAME=VALUE",
    "RRULE:FREQ=DAILY": "'RRULE:FREQ' is not one of",
    "FREQ=DAILY;COLOUR=RED": "'COLOUR' is not one of",
    "FREQ=DAILY;BYHOUR=9": "'BYHOUR' is not one of",
    "FREQ=DAILY;FREQ=DAILY": "FREQ is given twice",
    "INTERVAL=2": "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY",
    "FREQ=HOURLY": "FREQ must be one of",
    "FREQ=SECONDLY": "FREQ must be one of",
    "FREQ=DAILY;COUNT=2;UNTIL=20301231": "COUNT and UNTIL exclude each other",
    "FREQ=DAILY;INTERVAL=0": "INTERVAL must be a whole number from 1 to 10000",
    "FREQ=DAILY;INTERVAL=-1": "INTERVAL must be a whole number",
    "FREQ=DAILY;INTERVAL=10001": "INTERVAL must be a whole number",
    "FREQ=DAILY;INTERVAL=99999999999999999999": "INTERVAL must be a whole number",
    "FREQ=DAILY;COUNT=0": "COUNT must be a whole number",
    "FREQ=DAILY;COUNT=1,2": "COUNT must be a whole number",
    "FREQ=DAILY;UNTIL=20301331": "UNTIL must be a date",
    "FREQ=DAILY;UNTIL=20300229": "UNTIL must be a date",
    "FREQ=DAILY;UNTIL=20301231T090000": "UNTIL must be a date",
    "FREQ=DAILY;UNTIL=20301231T250000Z": "UNTIL must be a date",
    "FREQ=DAILY;UNTIL=2030": "UNTIL must be a date",
    "FREQ=WEEKLY;BYDAY=XX": "BYDAY must be days such as MO",
    "FREQ=WEEKLY;BYDAY=MO,": "BYDAY must be days such as MO",
    "FREQ=WEEKLY;BYDAY=1MO": "BYDAY has numbers only with FREQ=MONTHLY or YEARLY",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO": "BYDAY has numbers only",
    "FREQ=MONTHLY;BYDAY=0MO": "the number of a BYDAY must be from 1 to 5",
    "FREQ=MONTHLY;BYDAY=6MO": "the number of a BYDAY must be from 1 to 5",
    "FREQ=YEARLY;BYDAY=54MO": "the number of a BYDAY must be from 1 to 53",
    "FREQ=MONTHLY;BYMONTHDAY=32": "BYMONTHDAY must be numbers from 1 to 31",
    "FREQ=MONTHLY;BYMONTHDAY=0": "BYMONTHDAY must be numbers from 1 to 31",
    "FREQ=MONTHLY;BYMONTHDAY=A": "BYMONTHDAY must be numbers from 1 to 31",
    "FREQ=WEEKLY;BYMONTHDAY=1": "BYMONTHDAY does not go with FREQ=WEEKLY, but with DAILY, MONTHLY, YEARLY",
    "FREQ=YEARLY;BYMONTH=13": "BYMONTH must be numbers from 1 to 12",
    "FREQ=YEARLY;BYMONTH=-1": "BYMONTH must be numbers from 1 to 12",
    "FREQ=MONTHLY;BYYEARDAY=1": "BYYEARDAY does not go with FREQ=MONTHLY, but with YEARLY",
    "FREQ=YEARLY;BYYEARDAY=367": "BYYEARDAY must be numbers from 1 to 366",
    "FREQ=MONTHLY;BYWEEKNO=1": "BYWEEKNO does not go with FREQ=MONTHLY, but with YEARLY",
    "FREQ=YEARLY;BYWEEKNO=54": "BYWEEKNO must be numbers from 1 to 53",
    "FREQ=MONTHLY;BYSETPOS=1": "BYSETPOS needs another BY part",
    "FREQ=DAILY;BYMONTH=1;BYSETPOS=1": "BYSETPOS does not go with FREQ=DAILY",
    "FREQ=WEEKLY;WKST=1MO": "WKST must be one of MO, TU, WE, TH, FR, SA, SU",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30": "it never comes: no month of BYMONTH has a day of BYMONTHDAY",
    "FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=31": "it never comes",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=-30": "it never comes",
    "FREQ=DAILY;BYMONTH=" + "1," * 300 + "1": "longer than 500 characters",
}

NEVER = [
    "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
    "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
    "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
    "FREQ=YEARLY;BYYEARDAY=1;BYMONTH=12",
    "FREQ=YEARLY;INTERVAL=10000",
]


@pytest.mark.parametrize("rule", GOOD)
def test_a_rule_is_taken(rule: str) -> None:
    check_rule(rule)
    check_series(rule, "Europe/Berlin", START)


@pytest.mark.parametrize("rule", BAD)
def test_what_is_no_rule_is_refused_with_its_reason(rule: str) -> None:
    for check in (lambda: check_rule(rule), lambda: next_occurrence(rule, "UTC", START, START)):
        with pytest.raises(RecurrenceError) as caught:
            check()
        assert BAD[rule] in str(caught.value)
        assert caught.value.part == "rule"


@pytest.mark.parametrize("rule", NEVER)
def test_a_rule_that_never_comes_is_refused(rule: str) -> None:
    check_rule(rule)
    assert next_occurrence(rule, "Europe/Berlin", START, START) is None
    with pytest.raises(RecurrenceError, match="never comes after the first due date"):
        check_series(rule, "Europe/Berlin", START)


@pytest.mark.parametrize("rule", NEVER)
@pytest.mark.parametrize("year", [1970, 2026, 2199, 9998])
def test_what_never_comes_is_not_looked_for_for_long(monkeypatch: pytest.MonkeyPatch, rule: str, year: int) -> None:
    """python-dateutil goes on to the year 9999, and day by day where the frequency is daily."""
    asked: list[tuple[str, datetime]] = []
    real = rrule.rrulestr

    def spy(text: str, *, dtstart: datetime) -> Any:
        asked.append((text, dtstart))
        return real(text, dtstart=dtstart)

    monkeypatch.setattr("servicekit.recurrence.rrule.rrulestr", spy)
    start = START.replace(year=year)
    assert next_occurrence(rule, "UTC", start, start) is None
    ((text, begin),) = asked
    assert 9999 - begin.year < 800
    assert "FREQ=DAILY" not in text


@pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=1", "FREQ=DAILY;UNTIL=20200101"])
def test_a_series_of_one_is_one(rule: str) -> None:
    check_series(rule, "UTC", START)
    assert next_occurrence(rule, "UTC", START, START) is None


@pytest.mark.parametrize(
    "zone",
    ["", "Berlin", "europe/berlin", "Europe", "../etc/passwd", "/etc/localtime", "localtime", "UTC+1", "a" * 300, "\0"],
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(RecurrenceError, match="is not a time zone of the IANA database") as caught:
        zone_of(zone)
    assert caught.value.part == "zone"
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Etc/GMT+12"])
def test_a_zone_is_taken(zone: str) -> None:
    assert zone_of(zone).key == zone


@pytest.mark.parametrize("year", [1, 1969, 2200, 9999])
def test_a_series_begins_in_a_year_of_reason(year: int) -> None:
    with pytest.raises(RecurrenceError, match="from 1970 to 2199") as caught:
        check_series("FREQ=DAILY", "UTC", START.replace(year=year))
    assert caught.value.part == "start"


def test_beyond_the_last_year_there_is_nothing() -> None:
    last = datetime(9999, 12, 31, 12, tzinfo=UTC)
    assert next_occurrence("FREQ=DAILY", "UTC", last, last) is None
    with pytest.raises(RecurrenceError, match="out of range"):
        next_occurrence("FREQ=DAILY", "Pacific/Kiritimati", last, last)


PIECES = st.sampled_from(
    ["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY", "INTERVAL=3", "COUNT=4", "UNTIL=20300101", "BYDAY=MO",
     "BYDAY=-1FR,2TU", "BYMONTHDAY=31", "BYMONTHDAY=-1,5", "BYMONTH=2,12", "BYYEARDAY=60", "BYWEEKNO=53", "BYSETPOS=-1",
     "WKST=SU", "BYDAY=9XX", "COUNT=", "=", "BYHOUR=1"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=5).map(";".join) | st.text(max_size=40))
def test_whatever_it_is_it_is_a_rule_or_refused(rule: str) -> None:
    with suppress(RecurrenceError):
        found = next_occurrence(rule, "America/New_York", START, START)
        assert found is None or found > START

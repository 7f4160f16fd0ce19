"""Recurrence rules (RFC 5545, section 3.3.10), counted in the wall time of a zone.

The rules are expanded by python-dateutil in local time without a zone, and each date is then placed into the zone, as
section 3.3.5 asks: an occurrence stays at nine o'clock when summer time begins, one in the hour that is left out
happens an hour later, one in the hour that comes twice happens the first time. As section 3.3.10 says, a date that
does not exist (31 April) is left out, BYMONTHDAY=-1 is every month's last day, and COUNT counts the first due date
even where the rule itself does not name it.
"""

from __future__ import annotations

import calendar
import functools
import importlib.resources
import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil import rrule

FIRST_YEAR, LAST_YEAR = 1970, 2199
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NUMBERS = {"BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
# The table of section 3.3.10: what a part may stand with.
_ALLOWED = {
    "BYMONTHDAY": ("DAILY", "MONTHLY", "YEARLY"),
    "BYYEARDAY": ("YEARLY",),
    "BYWEEKNO": ("YEARLY",),
    "BYSETPOS": ("WEEKLY", "MONTHLY", "YEARLY"),
}
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "WKST", *_NUMBERS}
_TEXT = re.compile(r"[A-Z0-9=;,+:-]+")
_WHOLE = re.compile(r"[0-9]{1,5}")
_SIGNED = re.compile(r"[+-]?[0-9]{1,3}")
_DAY = re.compile(rf"([+-]?[0-9]{{1,2}})?({'|'.join(_DAYS)})")
_UNTIL_DATE, _UNTIL_TIME = "%Y%m%d", "%Y%m%dT%H%M%SZ"
_LONGEST = 500
# The calendar comes again after 400 years, days of the week included. Rules are expanded as late as python-dateutil
# can count, in its last 400 to 799 years: it looks for a date that never comes until they are over.
_CYCLE_YEARS, _LAST_BEGIN = 400, 9_599


class RecurrenceError(ValueError):
    """Raised for a rule, a zone or a start that is none: `part` says which, the text what is wrong with it."""

    def __init__(self, told: str, part: Literal["rule", "zone", "start"] = "rule") -> None:
        super().__init__(told)
        self.part = part


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def zone_of(name: str) -> ZoneInfo:
    """Return an IANA zone. Raises RecurrenceError."""
    if name not in _zones():
        raise RecurrenceError(f"{name[:64]!r} is not a time zone of the IANA database, such as Europe/Berlin", "zone")
    return ZoneInfo(name)


def check_rule(rule: str) -> None:
    """Raise RecurrenceError unless the text is an RRULE that a task can have: daily or rarer, and of sane size."""
    _parse(rule)


def check_series(rule: str, zone: str, start: datetime) -> None:
    """Raise RecurrenceError unless a series can begin at `start`, and without COUNT and UNTIL also goes on."""
    parts = _parse(rule)
    zone_of(zone)
    if not FIRST_YEAR <= start.astimezone(UTC).year <= LAST_YEAR:
        raise RecurrenceError(f"a series begins in a year from {FIRST_YEAR} to {LAST_YEAR}", "start")
    if not {"COUNT", "UNTIL"} & set(parts) and next_occurrence(rule, zone, start, start) is None:
        raise RecurrenceError("the rule never comes after the first due date")


def next_occurrence(rule: str, zone: str, start: datetime, after: datetime) -> datetime | None:
    """Return the first occurrence later than `after` of the series that begins at `start`, in UTC.

    None where the series has ended or does not come again within 400 years of its start. A rule that never comes takes
    a tenth of a second or two: call this in a thread. Raises RecurrenceError.
    """
    parts, place = _parse(rule), zone_of(zone)
    if after < start:
        return start.astimezone(UTC)
    count = int(parts.get("COUNT", "0"))
    try:
        first, later = _local(start, place), _local(after, place)
        begun = 1
        for local in _dates(parts, first, later):
            begun += local > first
            if (count and begun > count) or _ended(parts.get("UNTIL"), local, place):
                return None
            # In the hours that are left out or come twice wall time alone does not tell later from earlier.
            if local > first and (found := _placed(local, place)) > after:
                return found
    except OverflowError:
        raise RecurrenceError("a date of the series is out of range", "start") from None
    return None


def _dates(parts: dict[str, str], first: datetime, later: datetime) -> Iterator[datetime]:
    """Yield local dates in order: from `first`, or where nothing counts them from shortly before `later`."""
    kept = {name: value for name, value in parts.items() if name not in ("COUNT", "UNTIL")}
    if parts["FREQ"] != "DAILY":
        yield from _expanded(kept, first)
        return
    # A year of days at once is several times faster than day by day; the interval is then counted here.
    begin = first if "COUNT" in parts else max(first, datetime.combine(later.date(), first.time()) - timedelta(days=2))
    interval = int(parts.get("INTERVAL", "1"))
    for local in _expanded({"BYDAY": ",".join(_DAYS)} | kept | {"FREQ": "YEARLY", "INTERVAL": "1"}, begin):
        if (local.date() - first.date()).days % interval == 0:
            yield local


def _expanded(parts: dict[str, str], begin: datetime) -> Iterator[datetime]:
    rule = ";".join(f"{name}={value}" for name, value in parts.items())
    shift = _CYCLE_YEARS * max((_LAST_BEGIN - begin.year) // _CYCLE_YEARS, 0)
    for late in rrule.rrulestr(rule, dtstart=begin.replace(year=begin.year + shift)):
        yield late.replace(year=late.year - shift)


def _local(instant: datetime, place: ZoneInfo) -> datetime:
    return instant.astimezone(place).replace(tzinfo=None, fold=0)


def _placed(local: datetime, place: ZoneInfo) -> datetime:
    return local.replace(tzinfo=place, fold=0).astimezone(UTC)


def _ended(until: str | None, local: datetime, place: ZoneInfo) -> bool:
    """Whether an occurrence lies beyond the rule's end: an instant, or a date, which means that whole day."""
    if until is None:
        return False
    end = _until(until)
    return _placed(local, place) > end.replace(tzinfo=UTC) if "T" in until else local.date() > end.date()


def _until(value: str) -> datetime:
    try:
        return datetime.strptime(value, _UNTIL_TIME if "T" in value else _UNTIL_DATE)  # noqa: DTZ007 - placed later
    except ValueError:
        raise RecurrenceError("UNTIL must be a date (20301231) or a UTC time (20301231T090000Z)") from None


def _parse(rule: str) -> dict[str, str]:
    """Return the parts of a rule by name. Raises RecurrenceError."""
    parts = _split(rule)
    frequency = parts.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise RecurrenceError(f"FREQ must be one of {', '.join(_FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceError("COUNT and UNTIL exclude each other")
    for name in ("INTERVAL", "COUNT"):
        if name in parts and not (_WHOLE.fullmatch(parts[name]) and 1 <= int(parts[name]) <= 10_000):
            raise RecurrenceError(f"{name} must be a whole number from 1 to 10000")
    if "UNTIL" in parts:
        _until(parts["UNTIL"])
    for name, frequencies in _ALLOWED.items():
        if name in parts and frequency not in frequencies:
            raise RecurrenceError(f"{name} does not go with FREQ={frequency}, but with {', '.join(frequencies)}")
    for name, most in _NUMBERS.items():
        _check_numbers(name, parts.get(name), 1, most, signed=True)
    _check_numbers("BYMONTH", parts.get("BYMONTH"), 1, 12, signed=False)
    _check_days(parts, frequency)
    if "BYSETPOS" in parts and not {"BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"} & set(parts):
        raise RecurrenceError("BYSETPOS needs another BY part to choose from")
    _check_month_days(parts)
    return parts


def _split(rule: str) -> dict[str, str]:
    if len(rule) > _LONGEST:
        raise RecurrenceError(f"longer than {_LONGEST} characters")
    if not _TEXT.fullmatch(rule):
        raise RecurrenceError("must be like FREQ=WEEKLY;BYDAY=MO,WE: upper case, without spaces and line breaks")
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise RecurrenceError(f"{part[:40]!r} is not NAME=VALUE")
        if name not in _PARTS:
            raise RecurrenceError(f"{name[:40]!r} is not one of {', '.join(sorted(_PARTS))}")
        if name in parts:
            raise RecurrenceError(f"{name} is given twice")
        parts[name] = value
    return parts


def _check_numbers(name: str, value: str | None, least: int, most: int, *, signed: bool) -> None:
    for number in value.split(",") if value else ():
        well_formed = _SIGNED.fullmatch(number) and (signed or number.isdecimal())
        if not well_formed or not least <= abs(int(number)) <= most:
            both = ", or negative to count from the end" if signed else ""
            raise RecurrenceError(f"{name} must be numbers from {least} to {most}{both}")


def _check_days(parts: dict[str, str], frequency: str) -> None:
    if parts.get("WKST", "MO") not in _DAYS:
        raise RecurrenceError(f"WKST must be one of {', '.join(_DAYS)}")
    for day in parts["BYDAY"].split(",") if "BYDAY" in parts else ():
        match = _DAY.fullmatch(day)
        if match is None:
            raise RecurrenceError(f"BYDAY must be days such as MO, or with a number 2TU or -1FR; not {day[:10]!r}")
        if match[1] is None:
            continue
        if frequency not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts:
            raise RecurrenceError("BYDAY has numbers only with FREQ=MONTHLY or YEARLY, and without BYWEEKNO")
        most = 53 if frequency == "YEARLY" and "BYMONTH" not in parts else 5
        if not 1 <= abs(int(match[1])) <= most:
            raise RecurrenceError(f"the number of a BYDAY must be from 1 to {most}, or negative")


def _check_month_days(parts: dict[str, str]) -> None:
    """Refuse 30 February: no month that is named has a day that is named."""
    if "BYMONTHDAY" not in parts:
        return
    months = parts["BYMONTH"].split(",") if "BYMONTH" in parts else [str(month) for month in range(1, 13)]
    longest = [calendar.monthrange(2000, int(month))[1] for month in months]
    days = [abs(int(day)) for day in parts["BYMONTHDAY"].split(",")]
    if not any(day <= length for day, length in itertools.product(days, longest)):
        raise RecurrenceError("it never comes: no month of BYMONTH has a day of BYMONTHDAY")

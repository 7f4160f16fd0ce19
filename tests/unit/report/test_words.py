"""Numbers in words."""

import math
from dataclasses import replace

import pytest

from sluice.domain import Monitoring
from sluice.report import words


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        pytest.param(0.00213, "ratio", "0.213 %", id="a ratio in percent"),
        pytest.param(0.0, "ratio", "0 %", id="none of them"),
        pytest.param(0.1234, "seconds", "123 ms", id="less than a second in milliseconds"),
        pytest.param(0.0, "seconds", "0 s", id="no time"),
        pytest.param(12.345, "seconds", "12.3 s", id="more than a second in seconds"),
        pytest.param(58_300_000, "bytes", "58.3 MB", id="bytes at their scale"),
        pytest.param(3.0, "lines", "3 lines", id="another unit as it is"),
        pytest.param(-61.5, "ratio", "-6150 %", id="a large ratio without an exponent"),
        pytest.param(14_400.0, "seconds", "14400 s", id="hours without an exponent"),
        pytest.param(2500.0, "bytes/s", "2.5 kB/s", id="a rate of bytes"),
        pytest.param(3.5, "", "3.5", id="a number of nothing in particular"),
        pytest.param(1_234_567.0, "lines", "1.23457e+06 lines", id="a large count to six digits"),
        pytest.param(None, "ratio", "none", id="no value"),
        pytest.param(math.nan, "ratio", "nan", id="a value that is no number"),
    ],
)
def test_a_quantity_is_told_in_its_unit(value: float | None, unit: str, text: str) -> None:
    assert words.quantity(value, unit) == text


@pytest.mark.parametrize(
    ("text", "unit", "shown"),
    [
        pytest.param("<= 0.01", "ratio", "≤ 1 %", id="at most, in the value's own words"),
        pytest.param(">= 1", "up", "≥ 1 up", id="at least"),
        pytest.param("== 0", "lines", "= 0 lines", id="equal"),
        pytest.param("< 0.5", "seconds", "< 500 ms", id="less than"),
        pytest.param("", "ratio", "", id="no criterion"),
        pytest.param("something else", "ratio", "something else", id="words of a later policy"),
    ],
)
def test_a_criterion_is_told_in_the_words_of_its_value(text: str, unit: str, shown: str) -> None:
    assert words.criterion(text, unit) == shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (372.6, "6 min 13 s"),
        (7265, "2 h 01 min"),
        (math.inf, "inf"),
    ],
)
def test_durations_grow_coarser(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (-0.2, "0:00"), (75.4, "1:15"), (-75, "-1:15"), (3725, "1:02:05"), (math.nan, "nan")],
)
def test_the_clock_counts_from_the_runs_start(seconds: float, text: str) -> None:
    assert words.clock(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (999.6, "1 kB"), (1e6, "1 MB"), (2.5e15, "2.5e+03 TB")]
)
def test_sizes_are_powers_of_a_thousand(count: float, text: str) -> None:
    assert words.size(count) == text


def test_a_time_that_no_calendar_has_is_told_as_a_number() -> None:
    assert words.moment(0) == "1970-01-01 00:00:00 UTC"
    assert words.moment(1e30) == "1e+30"
    assert words.moment(math.nan) == "nan"


@pytest.mark.parametrize(
    ("text", "printable"),
    [
        pytest.param("\x1b[1;31mred\x1b[0m", "red", id="colours go"),
        pytest.param("\x1b]0;title\x07x", "x", id="a window's title goes"),
        pytest.param("a\x00b\x08c\rd\x7f\x9be", "abcde", id="control characters go"),
        pytest.param("tab\tand\nline", "tab\tand\nline", id="tabs and line ends stay"),
        pytest.param("ø – 漢 ✓", "ø – 漢 ✓", id="letters of all scripts stay"),
        pytest.param("\ud800x", "x", id="half a character goes"),
    ],
)
def test_what_steers_a_terminal_is_taken_out(text: str, printable: str) -> None:
    assert words.printable(text) == printable


def test_what_prometheus_said_of_itself_or_that_it_said_nothing() -> None:
    seen = Monitoring(100, 700, clock_skew_seconds=-0.25, starts=(90, 200, 300), longest_gap_seconds=31)
    assert words.monitored(seen) == "clock -250 ms off, longest gap 31 s, started again 2 times"
    assert words.monitored(replace(seen, error="HTTP 503")) == "could not be asked: HTTP 503"

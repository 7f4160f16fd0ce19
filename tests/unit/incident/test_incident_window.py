"""--from and --to: what is a time, and every mistake at once."""

from datetime import datetime

import pytest

from sluice.errors import SettingsError
from sluice.incident.window import Window, window


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


NOW = at("2026-11-07T16:00:00Z")


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-11-07T14:00:00Z", "2026-11-07T15:00:00Z"),
        ("2026-11-07T15:00:00+01:00", "2026-11-07T10:00:00-05:00"),
        ("2026-11-07 14:00:00.000+00:00", "2026-11-07T15:00Z"),
    ],
)
def test_times_of_rfc_3339(begin: str, end: str) -> None:
    assert window(begin, end, now=NOW) == Window(at("2026-11-07T14:00:00Z"), at("2026-11-07T15:00:00Z"))


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        ("", "2026-11-07T15:00:00Z", ["--from is missing"]),
        ("", "", ["--from is missing", "--to is missing"]),
        ("yesterday", "2026-11-07T15:00:00", ["--from yesterday: no time", "--to 2026-11-07T15:00:00 has no zone"]),
        ("2h ago", "now", ["--from 2h ago: no time", "--to now: no time"]),
        ("2026-11-31T14:00:00Z", "2026-11-07T15:00:00Z", ["--from 2026-11-31T14:00:00Z: no time"]),
        ("2026-11-07T15:00:00Z", "2026-11-07T14:00:00Z", ["2026-11-07T14:00:00Z is not after --from 2026-11-07T15"]),
        ("2026-11-07T15:00:00Z", "2026-11-07T15:00:00Z", ["is not after"]),
        ("2026-11-07T15:00:00Z", "2026-11-07T16:02:00Z", ["--to 2026-11-07T16:02:00Z is in the future"]),
        ("2027-11-07T15:00:00Z", "2027-11-07T16:00:00Z", ["--from 2027", "--to 2027"]),
        ("2026-10-31T13:59:00Z", "2026-11-07T14:00:00Z", ["7.0 days; at most 7"]),
    ],
)
def test_what_is_no_time_to_ask_about_is_told_at_once(begin: str, end: str, said: list[str]) -> None:
    with pytest.raises(SettingsError) as error:
        window(begin, end, now=NOW)
    assert [one for one in said if one not in str(error.value)] == []
    assert len(error.value.mistakes) == len(said)
    assert "it is 2026-11-07T16:00:00Z" in str(error.value)


def test_an_end_that_is_a_little_ahead_of_this_clock_is_now() -> None:
    assert window("2026-11-07T15:00:00Z", "2026-11-07T16:00:30Z", now=NOW).end == NOW


def test_seven_days_are_not_too_long() -> None:
    assert window("2026-10-31T14:00:00Z", "2026-11-07T14:00:00Z", now=NOW).seconds == 7 * 86_400


def test_what_is_not_said_is_the_whole_time_of_a_run() -> None:
    run = Window(NOW - 100, NOW - 10)
    assert window("", "", now=NOW, otherwise=run) == run
    assert window("2026-11-07T15:59:00Z", "", now=NOW, otherwise=run) == Window(NOW - 60, NOW - 10)

"""Windows and freezes are in the target's own wall time, its changes of the clock included."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from sluice.promotion.model import ClusterAccess, Freeze, Registry, Target, Window
from sluice.promotion.windows import opens, why_closed

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = (Window(("mon", "tue", "wed", "thu"), time(9), time(16)), Window(("fri",), time(9), time(12)))
HOLIDAYS = Freeze(date(2026, 12, 20), date(2027, 1, 3), "holidays")


def target(*, windows: tuple[Window, ...] = OFFICE, freezes: tuple[Freeze, ...] = (HOLIDAYS,)) -> Target:
    return Target(
        "sluice.target/v1", "gke", Registry("r.example/x"), ClusterAccess("c"), name="gke", timezone=BERLIN,
        windows=windows, freezes=freezes,
    )  # fmt: skip


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    "moment", ["2026-11-26T09:00", "2026-11-26T15:59", "2026-11-27T11:59", "2026-12-17T10:00", "2027-01-04T09:00"]
)
def test_it_is_open_in_its_windows(moment: str) -> None:
    assert why_closed(target(), at(moment)) == ""


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2026-11-26T08:59", "Thursday 08:59 in Europe/Berlin is outside of the windows of gke; it opens Thu"),
        ("2026-11-26T16:00", "it opens Fri 2026-11-27 09:00 CET"),
        ("2026-11-27T12:00", "it opens Mon 2026-11-30 09:00 CET"),
        ("2026-12-21T10:00", "gke is frozen from 2026-12-20 until 2027-01-03: holidays; it opens Mon 2027-01-04 09:00"),
        ("2026-12-18T12:00", "it opens Mon 2027-01-04 09:00"),
        ("2026-03-27T13:00", "it opens Mon 2026-03-30 09:00 CEST"),
    ],
)  # fmt: skip
def test_it_says_why_it_is_closed_and_when_it_opens(moment: str, said: str) -> None:
    assert said in why_closed(target(), at(moment))


def test_without_windows_it_is_open_but_for_its_freezes() -> None:
    free = target(windows=())
    assert why_closed(free, at("2026-11-29T03:00")) == ""
    assert "it opens Mon 2027-01-04 00:00" in why_closed(free, at("2026-12-31T23:00"))


def test_what_is_frozen_for_good_does_not_open() -> None:
    for_good = target(freezes=(Freeze(date(2026, 1, 1), date(2036, 1, 1), "end of life"),))
    assert opens(for_good, at("2026-11-26T10:00")) is None
    assert "does not open within a year" in why_closed(for_good, at("2026-11-26T10:00"))

"""A month of an SLO, computed by hand: kept, broken, in part, with gaps, with NaN, and without anything."""

import math
from datetime import UTC, datetime

import pytest

from sluice.budgets.month import HOUR, Day, Hour, SloMonth, Span, month_of, span
from sluice.errors import SettingsError


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


START = at("2026-11-01T00:00:00Z")
TEN_HOURS = Span("2026-11", START, START + 10 * HOUR, at("2026-12-01T00:00:00Z"))


def hour(number: int, events: float = 1000.0, bad: float = 0.0, known: float = 1.0) -> Hour:
    return Hour(START + number * HOUR, events, bad, known)


def of(hours: list[Hour], when: Span = TEN_HOURS) -> SloMonth:
    """An SLO of 99.9 %."""
    return month_of("backend", "availability", 0.999, 0.001, hours, when)


def test_all_events_were_good() -> None:
    found = of([hour(number) for number in range(1, 11)])
    assert (found.events, found.bad, found.attained, found.spent, found.left) == (10_000, 0, 1.0, 0.0, 1.0)
    assert (found.coverage, found.worst, found.met) == (1.0, (), True)
    assert {value for _, value in found.burn.points} == {0.0}


def test_what_was_spent_and_left() -> None:
    """Of 10000 events 10 may be bad; 4 and 2 were."""
    found = of([hour(number, bad={3: 4.0, 7: 2.0}.get(number, 0.0)) for number in range(1, 11)])
    assert found.attained == pytest.approx(0.9994)
    assert (found.spent, found.left) == pytest.approx((0.6, 0.4))
    assert [round(value, 9) for _, value in found.burn.points] == [0, 0, 0.4, 0.4, 0.4, 0.4, 0.6, 0.6, 0.6, 0.6]
    assert found.met is True


def test_more_than_all_of_it_is_not_kept() -> None:
    found = of([hour(number, bad=3.0) for number in range(1, 11)])
    assert (found.spent, found.left) == pytest.approx((3.0, -2.0))
    assert found.met is False


def test_exactly_all_of_it_is_kept() -> None:
    assert of([hour(number, events=2000.0, bad=2.0) for number in range(1, 6)]).met is True


def test_hours_of_which_nothing_is_known_are_no_good_ones() -> None:
    found = of([hour(1, bad=1.0), hour(2), hour(10, known=0.5)])
    assert found.coverage == pytest.approx(0.25)  # 2.5 of 10 hours
    assert found.events == 3000
    assert [math.isnan(value) for _, value in found.burn.points] == [False, False, *[True] * 7, False]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_what_is_no_number_is_not_known(broken: float) -> None:
    for one in (hour(2, events=broken), hour(2, bad=broken), hour(2, known=0.0)):
        found = of([hour(1, bad=1.0), one])
        assert (found.events, found.coverage, found.spent) == pytest.approx((1000, 0.1, 1.0))


def test_without_data_nothing_is_attained() -> None:
    found = of([])
    assert (found.coverage, found.attained, found.spent, found.left, found.met) == (0.0, None, None, None, None)


def test_without_events_nothing_is_attained_though_all_is_known() -> None:
    found = of([hour(number, events=0.0) for number in range(1, 11)])
    assert (found.coverage, found.attained, found.met) == (1.0, None, None)


def test_hours_of_other_months_do_not_count() -> None:
    found = of([hour(0, bad=9.0), hour(1), hour(11, bad=9.0)])
    assert (found.events, found.bad) == (1000, 0)


def test_the_worst_days_in_order_by_the_day_that_their_hours_lie_in() -> None:
    """The hour up to midnight belongs to the day that ends."""
    when = Span("2026-11", START, START + 96 * HOUR, TEN_HOURS.month_end)
    bad = {24: 5.0, 25: 1.0, 49: 2.0, 50: 2.0, 96: 3.0}
    found = of([hour(number, bad=bad.get(number, 0.0)) for number in range(1, 97)], when)
    assert [(day.date, day.bad) for day in found.worst] == [("2026-11-01", 5), ("2026-11-03", 4), ("2026-11-04", 3)]
    assert found.worst[0] == Day("2026-11-01", 5.0 / found.events * 1000, 5.0)


def test_a_month_that_is_over_is_whole() -> None:
    found = span("2026-10", now=at("2026-11-26T18:10:00Z"))
    assert found == Span("2026-10", at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z"), at("2026-11-01T00:00:00Z"))
    assert found.whole


@pytest.mark.parametrize("text", ["", "2026-11"])
def test_this_month_goes_up_to_the_last_full_hour(text: str) -> None:
    found = span(text, now=at("2026-11-26T18:10:00Z"))
    assert (found.name, found.end, found.whole) == ("2026-11", at("2026-11-26T18:00:00Z"), False)


def test_december_is_followed_by_january() -> None:
    assert datetime.fromtimestamp(span("2026-12", now=at("2027-03-01T00:00:00Z")).end, UTC).isoformat()[:7] == "2027-01"


@pytest.mark.parametrize(
    ("text", "now", "said"),
    [
        ("2026-13", "2026-11-26T18:10:00Z", "--month 2026-13: no month"),
        ("november", "2026-11-26T18:10:00Z", "no month"),
        ("2026-12", "2026-11-26T18:10:00Z", "2026-12: it has not begun"),
        ("", "2026-11-01T00:59:00Z", "2026-11: it is not an hour old"),
    ],
)
def test_a_month_that_cannot_be_reported_is_refused(text: str, now: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        span(text, now=at(now))
    assert said in str(error.value)
    assert "such as 2026-11" in str(error.value)

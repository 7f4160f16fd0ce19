"""Ticks that enclose their range, and points that keep their spikes when they are thinned."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.report.scales import thinned, time_ticks, value_ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        pytest.param(0, 1, [0, 0.5, 1], id="nothing to one"),
        pytest.param(0, 0.21, [0, 0.1, 0.2, 0.3], id="the last tick lies above the highest value"),
        pytest.param(0, 37, [0, 10, 20, 30, 40], id="tens"),
        pytest.param(-3, 5, [-4, -2, 0, 2, 4, 6], id="below and above nothing"),
        pytest.param(0, 0, [0, 0.5, 1], id="no range"),
        pytest.param(-5e-324, 0, [0, 0.5, 1], id="less of a range than floats can divide"),
        pytest.param(-1.7e308, 1.7e308, [-1e300, -5e299, 0, 5e299, 1e300], id="more than floats can subtract"),
        pytest.param(0, 1e-7, [0, 5e-8, 1e-7], id="a very small range"),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert value_ticks(low, high) == pytest.approx(ticks)


FINITE = st.floats(-1e12, 1e12)


@given(one=FINITE, other=FINITE)
def test_ticks_enclose_any_range_and_are_few(one: float, other: float) -> None:
    low, high = min(one, other, 0), max(one, other, 0)
    ticks = value_ticks(low, high)
    slack = (high - low) * 1e-6 + 1e-300
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("start", "end", "ticks"),
    [
        pytest.param(0, 60, [0, 10, 20, 30, 40, 50, 60], id="a minute in tens of seconds"),
        pytest.param(132, 214, [135, 150, 165, 180, 195, 210], id="from the middle of a run"),
        pytest.param(0, 2400, [0, 600, 1200, 1800, 2400], id="forty minutes"),
        pytest.param(5, 5, [], id="no time"),
        pytest.param(0, math.inf, [], id="all time"),
    ],
)
def test_times_are_at_steps_that_clocks_have(start: float, end: float, ticks: list[float]) -> None:
    assert time_ticks(start, end) == ticks


def test_years_have_few_ticks_too() -> None:
    assert 1 <= len(time_ticks(0, 1.7e9)) <= 7


@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300),
    limit=st.integers(4, 60),
)
def test_thinning_keeps_the_order_the_highest_and_the_lowest(values: list[float], limit: int) -> None:
    points = [(float(at), value) for at, value in enumerate(values)]
    kept = thinned(points, limit)
    assert len(kept) <= limit + 2
    assert [at for at, _ in kept] == sorted({at for at, _ in kept})
    drawn = [value for value in values if math.isfinite(value)]
    if drawn:
        assert {min(drawn), max(drawn)} <= {value for _, value in kept}

"""Log spikes: by hand, and that quiet and steady services have none."""

import math

import pytest

from sluice.incident.spikes import DEVIATIONS, FEWEST_LINES, Spike, mean_before, spikes

START = 6000.0


def minutes(*counts: float) -> list[tuple[float, float]]:
    """A point a minute after the start."""
    return [(START + 60 * (number + 1), count) for number, count in enumerate(counts)]


def test_five_lines_out_of_nothing_are_one() -> None:
    assert spikes(minutes(0, 5, 0), start=START, usual=0.0) == [Spike(6060.0, 6120.0, 5, 5, 0.0)]


def test_four_are_none() -> None:
    assert spikes(minutes(4, 4, 4), start=START, usual=0.0) == []


def test_minutes_that_follow_each_other_are_one_and_a_gap_parts_them() -> None:
    found = spikes([*minutes(10, 30, 20), (START + 300, 7)], start=START, usual=0.1)
    assert found == [Spike(6000.0, 6180.0, 60, 30, 0.1), Spike(6240.0, 6300.0, 7, 7, 0.1)]


@pytest.mark.parametrize(("count", "is_one"), [(140, False), (141, True)])
def test_of_a_hundred_a_minute_more_than_140_are_one(count: float, is_one: bool) -> None:
    """100 + 4 × √100."""
    assert bool(spikes(minutes(count), start=START, usual=100.0)) is is_one


def test_what_is_before_the_start_and_what_is_no_number_is_none() -> None:
    assert spikes([(START, 50), (START + 60, math.nan), (START + 120, math.inf)], start=START, usual=0) == []


def test_the_mean_counts_minutes_without_a_point() -> None:
    points = [(START - 3600, 1000.0), (START - 3540, 30.0), (START, 30.0), (START + 60, 1000.0)]
    assert mean_before(points, START) == 1.0


def test_the_mean_leaves_out_what_is_no_number() -> None:
    assert mean_before([(START - 60, math.nan), (START, 60.0)], START) == 1.0


def test_by_chance_at_most_4_minutes_in_a_thousand_are_one() -> None:
    """As spikes.py says: Poisson's tail beyond the limit, for means up to 200 a minute."""

    def tail(mean: float) -> float:
        limit = max(FEWEST_LINES, math.floor(mean + DEVIATIONS * math.sqrt(mean)) + 1)
        return 1 - sum(math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1)) for n in range(limit))

    worst = max(tail(number / 50) for number in range(1, 10_000))
    assert 0.003 < worst < 0.004

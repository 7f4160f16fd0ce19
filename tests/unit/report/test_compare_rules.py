"""The arithmetic behind a comparison: a threshold of two numbers, and the sign test."""

import math

import pytest

from sluice.compare_rules import Threshold, chance


@pytest.mark.parametrize(
    ("more", "of", "expected"), [(10, 10, 1 / 1024), (0, 10, 1.0), (9, 10, 11 / 1024), (0, 0, 1.0)]
)
def test_the_sign_test(more: int, of: int, expected: float) -> None:
    assert chance(more, of) == pytest.approx(expected)


def test_a_threshold_takes_both_its_numbers() -> None:
    rule = Threshold(2.0, 10.0)
    assert [rule.way(10, after) for after in (20, 25, 4)] == ["told", "worse", "told"]
    assert rule.way(100, 105) == "told"
    assert rule.way(30, 10) == "better"
    assert rule.way(10, 25, pace=1.3) == "told"
    assert rule.way(math.nan, 25) == "told"

"""The interval of passed releases, and what is compared with it."""

import bisect
import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gate.samples import DIGEST, LATENCY, POLICY, STARTED, instead, measured

from sluice.domain import Baseline, Measurement, Verdict, dump
from sluice.gate.comparison import prediction_interval
from sluice.policy import Baselines, Criterion, Objective
from sluice.steps.evaluate_gate import evaluate_gate

RELATIVE = replace(
    LATENCY, pass_criterion=Criterion("<=", 0.5, 10.0), warn_criterion=Criterion("<=", 1.0), min_samples=50
)
JUDGED = replace(POLICY, objectives=(*POLICY.objectives[:2], RELATIVE, POLICY.objectives[3]))
VALUES = (0.10, 0.12, 0.11, 0.14, 0.13)
INTERVAL = ("0x1.7f8bf19fc6e22p-4", "0x1.2fd7b95d2ae51p-3")


def release(number: int, *measurements: Measurement) -> Baseline:
    return Baseline(f"run-{number}", STARTED - 1000 * number, "rev", (DIGEST,), measurements)


def releases(*values: float, objective: Objective = RELATIVE) -> tuple[Baseline, ...]:
    return tuple(release(number, measured(objective, value)) for number, value in enumerate(values, 1))


def judged(value: float, *baselines: Baseline) -> Verdict:
    return evaluate_gate(JUDGED, replace(instead(measured(RELATIVE, value)), baselines=baselines))


def exact(values: tuple[float, ...]) -> list[float]:
    """Every resample there is, in order: what the draws approach."""
    centre, scale = math.fsum(values) / len(values), math.sqrt(len(values) / (len(values) - 1))
    means = [math.fsum(drawn) / len(values) for drawn in itertools.product(values, repeat=len(values))]
    return sorted(mean + scale * (value - centre) for mean in means for value in values)


@pytest.mark.parametrize("values", [(1.0, 2.0, 4.0), (0.1, 0.12, 0.11, 0.14), VALUES])
def test_the_interval_is_that_of_all_resamples_there_are(values: tuple[float, ...]) -> None:
    every = exact(values)
    for end, part in zip(prediction_interval(values), (0.05, 0.95), strict=True):
        below, up_to = bisect.bisect_left(every, end - 1e-12), bisect.bisect_right(every, end + 1e-12)
        assert below / len(every) < part + 0.01
        assert up_to / len(every) > part - 0.01


def test_the_interval_is_the_same_to_the_bit_for_ever() -> None:
    """Written down once; a change of it changes verdicts that were given."""
    low, high = prediction_interval(VALUES)
    assert (low.hex(), high.hex()) == INTERVAL


@given(st.permutations(VALUES))
def test_the_order_of_releases_does_not_matter(values: list[float]) -> None:
    assert prediction_interval(values) == prediction_interval(VALUES)


def test_releases_without_noise_leave_no_room() -> None:
    assert prediction_interval((0.25,) * 4) == (0.25, 0.25)


def test_a_change_within_the_noise_passes_and_one_beyond_it_warns() -> None:
    low, high = prediction_interval(VALUES)
    limit = high + abs(high) * 10 / 100
    within, beyond = judged(limit, *releases(*VALUES)), judged(limit + 1e-6, *releases(*VALUES))
    found = within.objectives[2]
    assert (found.level, found.baselines, found.interval) == ("pass", 5, (low, high))
    assert found.baseline == pytest.approx(0.12)
    assert (found.limit, found.pass_relative, found.warn_relative) == (limit, "<= +10 %", "")
    assert (within.level, within.notes) == ("pass", ())
    found = beyond.objectives[2]
    assert (found.level, found.score) == ("warn", 1.0)
    assert found.reason == (
        f"{limit + 1e-6:.6g} seconds, misses <= +10 % of 0.12 ({limit:.6g}: 5 passed releases lie within "
        f"{low:.6g} and {high:.6g}), meets <= 1"
    )


def test_a_bare_percentage_is_not_what_decides() -> None:
    """17 % above the mean, of releases that differ by 40 %: that is no change."""
    assert judged(0.14, *releases(*VALUES)).objectives[2].level == "pass"


def test_the_bound_holds_whatever_the_releases_had() -> None:
    found = judged(0.6, *releases(5.0, 5.0, 5.0)).objectives[2]
    assert (found.level, found.reason) == ("warn", "0.6 seconds, misses <= 0.5, meets <= 1")


def test_a_change_may_fail_too() -> None:
    strict = replace(RELATIVE, warn_criterion=Criterion("<=", 1.0, 20.0), key=True)
    policy = replace(POLICY, objectives=(strict,))
    evidence = replace(instead(measured(strict, 0.4)), baselines=releases(*VALUES))
    verdict = evaluate_gate(policy, evidence)
    assert verdict.level == "fail"
    assert verdict.objectives[0].reason.startswith("0.4 seconds, misses <= +10 % of 0.12 (")
    assert " and <= +20 % of 0.12 (" in verdict.objectives[0].reason


FEW = {
    "a first release": ((), 0),
    "one release less than needed": (releases(0.1, 0.1), 2),
    "releases that measured another query": (
        tuple(release(n, replace(measured(RELATIVE, 0.1), query="p90")) for n in range(4)),
        0,
    ),
    "releases in another unit": (tuple(release(n, replace(measured(RELATIVE, 0.1), unit="ms")) for n in range(4)), 0),
    "releases with too few samples": (tuple(release(n, measured(RELATIVE, 0.1, samples=49)) for n in range(4)), 0),
    "releases whose query failed": (
        tuple(release(n, replace(measured(RELATIVE, 0.1), error="timeout")) for n in range(4)),
        0,
    ),
    "releases of NaN": (releases(math.nan, math.nan, math.nan), 0),
    "releases that knew no such objective": (tuple(release(n) for n in range(4)), 0),
}


@pytest.mark.parametrize(("baselines", "count"), FEW.values(), ids=FEW.keys())
def test_without_enough_to_compare_with_the_bound_decides_and_the_verdict_says_so(
    baselines: tuple[Baseline, ...], count: int
) -> None:
    verdict = judged(0.4, *baselines)
    found = verdict.objectives[2]
    assert (verdict.level, found.level, found.baseline, found.interval) == ("pass", "pass", None, None)
    said = f"{count} passed releases to compare with, 3 are needed: the absolute bound alone decides"
    assert verdict.notes == (f"p95-latency: {said}",)
    assert judged(1.5, *baselines).objectives[2].level == "fail"


def test_the_policy_says_how_many_are_needed() -> None:
    policy = replace(JUDGED, baselines=Baselines(keep=5, needed=5))
    evidence = replace(instead(measured(RELATIVE, 0.4)), baselines=releases(0.1, 0.1, 0.1, 0.1))
    assert evaluate_gate(policy, evidence).objectives[2].level == "pass"
    assert evaluate_gate(JUDGED, evidence).objectives[2].level == "warn"


def test_of_a_release_the_worst_series_is_compared() -> None:
    many = tuple(release(n, measured(RELATIVE, 0.01, 0.2, 0.05)) for n in range(3))
    assert judged(0.22, *many).objectives[2].baseline == pytest.approx(0.2)


def test_the_order_in_which_records_were_read_leaves_no_trace() -> None:
    there, back = (judged(0.2, *order) for order in (releases(*VALUES), releases(*VALUES)[::-1]))
    assert dump(there) == dump(back)


def test_what_passed_without_baselines_never_passes_better_with_them() -> None:
    for value in (0.05, 0.3, 0.7, 2.0):
        without, with_them = judged(value).objectives[2], judged(value, *releases(*VALUES)).objectives[2]
        assert with_them.score <= without.score

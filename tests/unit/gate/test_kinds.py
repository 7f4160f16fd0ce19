"""Objectives of images and of error budgets, and how much of the run a value must have seen."""

from dataclasses import replace

import pytest
from tests.unit.gate.samples import DIGEST, EVIDENCE, LATENCY, POLICY, STARTED, instead, measured

from sluice.domain import Baseline, Measurement, Verdict
from sluice.policy import Criterion, Objective
from sluice.steps.evaluate_gate import evaluate_gate

SIZE = Objective(
    "image-size",
    "image",
    "size",
    "bytes",
    Criterion("<=", 300e6, 10.0),
    Criterion("<=", 300e6, 25.0),
    key=True,
)
BUDGET = Objective("budget", "slo", "budget_left", "ratio", Criterion(">=", 0), slos=("availability", "latency"))


def sizes(**values: float) -> Measurement:
    return replace(measured(SIZE, *values.values(), samples=len(values)), names=tuple(values))


def judged(objective: Objective, measurement: Measurement, *baselines: Baseline) -> Verdict:
    policy = replace(POLICY, objectives=(objective,), warn_score=50.0)
    return evaluate_gate(policy, replace(EVIDENCE, measurements=(measurement,), baselines=baselines))


def release(number: int, measurement: Measurement) -> Baseline:
    return Baseline(f"run-{number}", STARTED - 1000 * number, "rev", (DIGEST,), (measurement,))


LAST = release(1, sizes(backend=200e6, sync=100e6))


@pytest.mark.parametrize(
    ("measurement", "level", "reason"),
    [
        pytest.param(
            sizes(backend=201e6, sync=110e6),
            "pass",
            "201000000 bytes (backend), meets <= 300000000 and <= +10 % of 200000000 (220000000, of the last release)",
            id="none has grown by much",
        ),
        pytest.param(
            sizes(backend=200e6, sync=115e6),
            "warn",
            "115000000 bytes (sync), misses <= +10 % of 100000000 (110000000, of the last release), "
            "meets <= 300000000 and <= +25 % of 100000000 (125000000, of the last release)",
            id="the small one has, while the large one has not",
        ),
        pytest.param(
            sizes(backend=200e6, sync=200e6),
            "fail",
            "200000000 bytes (sync), misses <= +10 % of 100000000 (110000000, of the last release) "
            "and <= +25 % of 100000000 (125000000, of the last release)",
            id="it has doubled",
        ),
        pytest.param(
            sizes(backend=400e6, sync=300e6),
            "fail",
            "400000000 bytes (backend), misses <= 300000000 and <= +10 % of 200000000 (220000000, of the last release) "
            "and <= +25 % of 200000000 (250000000, of the last release)",
            id="both are too large: the larger is told",
        ),
    ],
)
def test_an_image_is_compared_with_that_of_its_name_in_the_last_release(
    measurement: Measurement, level: str, reason: str
) -> None:
    older = release(2, sizes(backend=1e6, sync=1e6))
    verdict = judged(SIZE, measurement, LAST, older)
    assert (verdict.objectives[0].level, verdict.objectives[0].reason) == (level, reason)
    assert verdict.level == level


def test_an_image_that_no_release_had_is_judged_by_its_size_alone() -> None:
    for baselines in ((), (LAST,)):
        verdict = judged(SIZE, sizes(fresh=250e6), *baselines)
        assert verdict.level == "pass"
        assert verdict.notes == ("image-size: no passed release has an image fresh: the absolute bound alone decides",)
        assert judged(SIZE, sizes(fresh=301e6), *baselines).level == "fail"


def test_values_that_do_not_fit_their_names_are_none() -> None:
    verdict = judged(SIZE, replace(sizes(backend=1e6), names=("backend", "sync")))
    assert verdict.reasons[0] == "image-size: 1 values with 2 names"


def budgets(*names: str, value: float = 0.9) -> Measurement:
    asked = 'slo:period_error_budget_remaining:ratio{namespace="default",slo=~"availability|latency"}'
    return replace(measured(BUDGET, *(value for _ in names)), query=asked, names=names)


NAMES = ("service=a slo=availability", "service=b slo=availability", "service=a slo=latency")


def test_the_budget_that_is_used_most_counts() -> None:
    spent = replace(budgets(*NAMES), values=(1.0, -0.5, 0.2))
    verdict = judged(BUDGET, spent)
    found = verdict.objectives[0]
    assert (found.level, found.value) == ("fail", -0.5)
    assert found.reason == "-0.5 ratio, the worst of 3 series (service=b slo=availability), misses >= 0"
    assert judged(BUDGET, budgets(*NAMES)).level == "pass"


def test_a_budget_that_nothing_speaks_of_fails() -> None:
    verdict = judged(BUDGET, budgets(*NAMES[:2]))
    assert verdict.level == "fail"
    assert verdict.reasons[0] == "budget: no series of the service level objectives latency"


def test_a_budget_is_asked_for_by_the_recorded_series() -> None:
    assert BUDGET.counted_by == 'sum(slo:sli_total:increase1h{namespace="{namespace}",slo=~"availability|latency"})'
    burn = replace(BUDGET, query="burn_rate", slos=(), samples_query="count(up)")
    assert (burn.promql, burn.counted_by) == ('slo:current_burn_rate:ratio{namespace="{namespace}"}', "count(up)")
    other = replace(budgets(*NAMES), query=burn.promql)
    assert "measured by another query" in judged(BUDGET, other).reasons[0]


@pytest.mark.parametrize(
    ("window", "at", "seen"),
    [
        pytest.param(95.0, STARTED + 200, "95", id="a window that is too short"),
        pytest.param(3600.0, STARTED + 110, "110", id="a long window over a run that was short"),
    ],
)
def test_a_soak_is_of_the_run_and_not_of_the_window(window: float, at: float, seen: str) -> None:
    soaked = replace(LATENCY, soak=120.0)
    policy = replace(POLICY, objectives=(*POLICY.objectives[:2], soaked, POLICY.objectives[3]))
    short = replace(measured(LATENCY, 0.1), window_seconds=window, at=at)
    verdict = evaluate_gate(policy, instead(short))
    assert verdict.level == "fail"
    assert verdict.reasons[0] == f"p95-latency: saw {seen} s of the run, at least 120 s are needed (soak)"
    long = replace(measured(LATENCY, 0.1), window_seconds=120.0, at=STARTED + 200)
    assert evaluate_gate(policy, instead(long)).level == "pass"


def test_the_worst_series_is_told_by_its_labels() -> None:
    named = replace(measured(LATENCY, 0.1, 0.3, 0.3), names=("service=c", "service=b", "service=a"))
    found = evaluate_gate(POLICY, instead(named)).objectives[2]
    assert found.reason == "0.3 seconds, the worst of 3 series (service=a), meets <= 0.5"

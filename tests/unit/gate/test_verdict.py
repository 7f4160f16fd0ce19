"""How objectives become a verdict: levels, the worst series, weights, key objectives, the score."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.gate.samples import (
    DIGEST,
    ERRORS,
    EVIDENCE,
    LATENCY,
    OTHER_DIGEST,
    POLICY,
    STARTED,
    SUITES,
    TARGETS,
    instead,
    measured,
)

from sluice.domain import Evidence, Image, Level, Measurement, Verdict, dump, load
from sluice.policy import Objective
from sluice.steps.evaluate_gate import evaluate_gate

RANK = {"fail": 0, "warn": 1, "pass": 2}


def test_a_sound_run_passes_with_every_number_and_no_reason_against_it() -> None:
    verdict = evaluate_gate(POLICY, EVIDENCE)
    assert (verdict.level, verdict.score, verdict.reasons) == ("pass", 100.0, ())
    assert (verdict.run_id, verdict.digests) == (EVIDENCE.run_id, (DIGEST,))
    assert (verdict.pass_score, verdict.warn_score) == (90.0, 75.0)
    suites, errors, latency, targets = verdict.objectives
    assert (suites.value, suites.samples, suites.reason) == (1.0, 3, "3 of 3 tests passed, meets >= 1")
    assert (errors.value, errors.samples, errors.score) == (0.001, 120, 3.0)
    assert (errors.pass_criterion, errors.warn_criterion) == ("<= 0.01", "<= 0.05")
    assert latency.reason == "0.2 seconds, the worst of 2 series, meets <= 0.5"
    assert (targets.warn_criterion, targets.level, targets.baseline) == ("", "pass", None)


@pytest.mark.parametrize(
    ("values", "value", "level", "score"),
    [
        pytest.param((0.5,), 0.5, "pass", 2.0, id="a value on the pass bound passes"),
        pytest.param((0.500001,), 0.500001, "warn", 1.0, id="a value above it warns and earns half the weight"),
        pytest.param((1.0,), 1.0, "warn", 1.0, id="a value on the warn bound warns"),
        pytest.param((1.01,), 1.01, "fail", 0.0, id="a value above both fails and earns nothing"),
        pytest.param((0.1, 2.0, 0.1), 2.0, "fail", 0.0, id="of several series the worst one counts"),
    ],
)
def test_a_value_is_held_against_its_criteria(
    values: tuple[float, ...], value: float, level: Level, score: float
) -> None:
    found = evaluate_gate(POLICY, instead(measured(LATENCY, *values))).objectives[2]
    assert (found.value, found.level, found.score) == (value, level, score)


def test_where_more_is_better_the_smallest_series_counts() -> None:
    targets = evaluate_gate(POLICY, instead(measured(TARGETS, 1.0, 0.0, 1.0))).objectives[3]
    assert (targets.value, targets.level) == (0.0, "fail")
    assert targets.reason == "0 up, the worst of 3 series, misses >= 1"


@pytest.mark.parametrize(
    ("evidence", "level", "score", "reason"),
    [
        pytest.param(
            instead(measured(TARGETS, 0.0)),
            "warn",
            600 / 7,
            "score 85.7143: 90 is needed to pass, 75 to warn",
            id="a score between warn and pass warns",
        ),
        pytest.param(
            instead(measured(TARGETS, 0.0), measured(LATENCY, 2.0)),
            "fail",
            400 / 7,
            "score 57.1429: 90 is needed to pass, 75 to warn",
            id="a score below warn fails without a key objective",
        ),
        pytest.param(
            instead(measured(ERRORS, 0.2)),
            "fail",
            400 / 7,
            "error-ratio: 0.2 ratio, misses <= 0.01 and <= 0.05; it is a key objective",
            id="a key objective that fails is the reason",
        ),
        pytest.param(
            instead(measured(LATENCY, 0.7)),
            "warn",
            600 / 7,
            "p95-latency: 0.7 seconds, misses <= 0.5, meets <= 1",
            id="a warning is among the reasons",
        ),
    ],
)
def test_weights_make_the_score_and_the_score_the_level(
    evidence: Evidence, level: Level, score: float, reason: str
) -> None:
    verdict = evaluate_gate(POLICY, evidence)
    assert verdict.level == level
    assert verdict.score == pytest.approx(score)
    assert reason in verdict.reasons


def test_a_failed_key_objective_fails_a_verdict_whose_score_would_pass() -> None:
    heavy = replace(LATENCY, weight=1000)
    policy = replace(POLICY, objectives=(SUITES, replace(TARGETS, key=True), heavy))
    verdict = evaluate_gate(policy, instead(measured(TARGETS, 0.0)))
    assert verdict.score > 99
    assert verdict.level == "fail"


def test_a_score_on_the_bound_counts_as_reached() -> None:
    objectives = (replace(LATENCY, weight=9), replace(TARGETS, weight=1))
    verdict = evaluate_gate(replace(POLICY, objectives=objectives), instead(measured(TARGETS, 0.0)))
    assert (verdict.score, verdict.level) == (90.0, "pass")
    assert verdict.reasons == ("targets-up: 0 up, misses >= 1",)


def test_digests_are_sorted_and_each_told_once() -> None:
    images = tuple(Image(name, "r", digest) for name, digest in (("b", OTHER_DIGEST), ("a", DIGEST), ("c", DIGEST)))
    assert evaluate_gate(POLICY, replace(EVIDENCE, images=images)).digests == (DIGEST, OTHER_DIGEST)


def test_a_verdict_recomputed_from_stored_evidence_is_the_same_to_the_bit(tmp_path: Path) -> None:
    evidence = instead(measured(LATENCY, 0.1 + 0.2, math.nan))
    (tmp_path / "evidence.json").write_bytes(dump(evidence))
    again = evaluate_gate(POLICY, load(Evidence, tmp_path / "evidence.json"))
    assert dump(again) == dump(evaluate_gate(POLICY, evidence))
    (tmp_path / "verdict.json").write_bytes(dump(again))
    assert load(Verdict, tmp_path / "verdict.json") == again


def test_the_order_of_series_leaves_no_trace() -> None:
    one, other = (dump(evaluate_gate(POLICY, instead(measured(ERRORS, *v)))) for v in ((0.0, -0.0), (-0.0, 0.0)))
    assert one == other


MEASUREMENTS = st.builds(
    Measurement,
    objective=st.sampled_from([ERRORS.name, LATENCY.name, TARGETS.name, "unknown"]),
    kind=st.sampled_from(["promql", "logql"]),
    query=st.sampled_from(["errors[95s]", 'p95{namespace="default"}[95s]', "up"]),
    unit=st.sampled_from(["ratio", "seconds", "up"]),
    at=st.just(STARTED + 1),
    window_seconds=st.sampled_from([0.0, 95.0, math.nan]),
    values=st.lists(st.floats(), max_size=3).map(tuple),
    samples=st.integers(-1, 200),
    error=st.sampled_from(["", "", "timeout"]),
)


@settings(deadline=None)  # a busy machine is no mistake
@given(found=st.lists(MEASUREMENTS, max_size=5))
def test_whatever_was_measured_there_is_a_verdict_and_always_the_same(found: list[Measurement]) -> None:
    evidence = replace(EVIDENCE, measurements=tuple(found))
    verdict = evaluate_gate(POLICY, evidence)
    assert dump(verdict) == dump(evaluate_gate(POLICY, evidence))
    assert 0 <= verdict.score <= 100
    assert (verdict.level == "pass") or verdict.reasons
    for result in verdict.objectives:
        assert result.level == "fail" or (result.value is not None and math.isfinite(result.value))


@settings(deadline=None)  # a busy machine is no mistake
@given(
    objective=st.sampled_from([ERRORS, LATENCY, TARGETS]),
    value=st.floats(allow_nan=True),
    before=st.floats(0, 2),
)
def test_one_more_series_never_improves_a_verdict(objective: Objective, value: float, before: float) -> None:
    without = evaluate_gate(POLICY, instead(measured(objective, before)))
    with_one_more = evaluate_gate(POLICY, instead(measured(objective, before, value)))
    assert RANK[with_one_more.level] <= RANK[without.level]
    assert with_one_more.score <= without.score

"""Whatever is missing, broken or not of this run fails the verdict, with a reason in numbers."""

import math
from dataclasses import replace

import pytest
from tests.unit.gate.samples import (
    DIGEST,
    ERRORS,
    EVIDENCE,
    LATENCY,
    POLICY,
    STARTED,
    TESTS,
    instead,
    measured,
    result,
)

from sluice.domain import Evidence, Image, StepTiming
from sluice.steps.evaluate_gate import evaluate_gate

# Where p95-latency is no key objective and so light that the others reach the score to pass without it.
LIGHT = replace(
    POLICY,
    objectives=tuple(o if o.name == LATENCY.name else replace(o, weight=10) for o in POLICY.objectives),
)
GOOD = measured(LATENCY, 0.1)

UNMEASURED = {
    "an objective that was not measured": (
        replace(EVIDENCE, measurements=tuple(m for m in EVIDENCE.measurements if m.objective != LATENCY.name)),
        "0 measurements, expected 1",
    ),
    "an objective that was measured twice": (instead(GOOD, GOOD), "2 measurements, expected 1"),
    "a query that found no series": (instead(measured(LATENCY)), "0 series, expected at least 1"),
    "a value that is NaN": (
        instead(measured(LATENCY, math.nan)),
        "1 of 1 series have no finite value, the first is nan",
    ),
    "one NaN among good values": (
        instead(measured(LATENCY, 0.1, math.nan, 0.1)),
        "1 of 3 series have no finite value, the first is nan",
    ),
    "a value that is infinite": (
        instead(measured(LATENCY, math.inf)),
        "1 of 1 series have no finite value, the first is inf",
    ),
    "a value that is minus infinite": (
        instead(measured(LATENCY, -math.inf)),
        "1 of 1 series have no finite value, the first is -inf",
    ),
    "a query that failed, even with values": (
        instead(replace(GOOD, error="timeout after 30 s")),
        "the query failed: timeout after 30 s",
    ),
    "one sample less than the minimum": (
        instead(measured(LATENCY, 0.1, samples=49)),
        "0.1 seconds, but of 49 samples where at least 50 are needed",
    ),
    "no samples at all": (
        instead(measured(LATENCY, 0.1, samples=0)),
        "0.1 seconds, but of 0 samples where at least 50 are needed",
    ),
    "a value in another unit": (
        instead(replace(GOOD, unit="ms")),
        "measured as promql in 'ms', the policy asks for promql in 'seconds'",
    ),
    "a value from another kind of query": (
        instead(replace(GOOD, kind="logql")),
        "measured as logql in 'seconds', the policy asks for promql in 'seconds'",
    ),
    "a value of another query": (
        instead(replace(GOOD, query="vector(0)")),
        "measured by another query than the policy's: vector(0)",
    ),
    "a window of no time": (
        instead(replace(GOOD, window_seconds=0.0)),
        "measured over 0 s, expected a window above 0 s",
    ),
    "a measurement from before the run": (
        instead(replace(GOOD, at=STARTED - 5)),
        "measured at 1759999995.000, the run began at 1760000000.000",
    ),
    "a measurement at no time": (
        instead(replace(GOOD, at=math.nan)),
        "measured at nan, the run began at 1760000000.000",
    ),
}


@pytest.mark.parametrize(("evidence", "reason"), UNMEASURED.values(), ids=UNMEASURED.keys())
def test_without_a_value_to_judge_even_a_light_objective_fails_the_verdict(evidence: Evidence, reason: str) -> None:
    verdict = evaluate_gate(LIGHT, evidence)
    assert (verdict.objectives[2].level, verdict.objectives[2].score) == ("fail", 0)
    assert verdict.objectives[2].reason == reason
    assert verdict.level == "fail"
    assert verdict.reasons[0] == f"p95-latency: {reason}"
    assert verdict.score >= LIGHT.pass_score, "it is not the score that failed it"


SUITES = {
    "no tests at all": (
        replace(EVIDENCE, tests=()),
        ("0 tests ran", "suite api: 0 tests, and it is required"),
    ),
    "a required suite that is missing": (
        replace(
            EVIDENCE,
            suites=("api",),
            tests=tuple(t for t in (*TESTS, result("c", "api")) if t.suite == "api"),
        ),
        ("suite logs: 0 tests, and it is required",),
    ),
    "a suite that was asked for and gave no test": (
        replace(EVIDENCE, suites=("api", "logs", "events")),
        ("suite events: 0 tests",),
    ),
    "a suite with a failed test": (
        replace(EVIDENCE, tests=(*TESTS, result("bad", "api", "failed"))),
        ("suite api: 1 of 3 tests failed: tests/e2e/api/test_api.py::bad",),
    ),
    "a suite with a test that broke in its set-up": (
        replace(EVIDENCE, tests=(*TESTS, result("bad", "logs", "error"))),
        ("suite logs: 1 of 2 tests failed: tests/e2e/logs/test_logs.py::bad",),
    ),
    "a suite that nobody asked for, with a failed test": (
        replace(EVIDENCE, tests=(*TESTS, result("bad", "odd", "failed"))),
        ("suite odd: 1 of 1 tests failed: tests/e2e/odd/test_odd.py::bad",),
    ),
    "a suite of skipped tests only": (
        replace(EVIDENCE, tests=(*TESTS[:2], result("c", "api"), result("s", "logs", "skipped"))),
        ("suite logs: 1 of 1 tests skipped, 0 passed",),
    ),
    "seven failed tests, of which five are named": (
        replace(EVIDENCE, tests=(*TESTS, *(result(f"t{n}", "odd", "failed") for n in range(7)))),
        (
            "suite odd: 7 of 7 tests failed: "
            + ", ".join(f"tests/e2e/odd/test_odd.py::t{n}" for n in range(5))
            + " and 2 more",
        ),
    ),
}


@pytest.mark.parametrize(("evidence", "reasons"), SUITES.values(), ids=SUITES.keys())
@pytest.mark.parametrize("objectives", [POLICY.objectives, POLICY.objectives[1:]], ids=["objective", "no objective"])
def test_suites_that_prove_nothing_fail_the_verdict(
    evidence: Evidence, reasons: tuple[str, ...], objectives: tuple[object, ...]
) -> None:
    """Also where the policy has no objective of kind tests."""
    verdict = evaluate_gate(replace(POLICY, objectives=objectives), evidence)  # type: ignore[arg-type]
    assert verdict.level == "fail"
    assert set(reasons) <= set(verdict.reasons)
    assert all(found.level == "fail" for found in verdict.objectives if found.name == "suites")


def test_a_suite_that_is_missing_fails_the_objective_whose_tests_all_passed() -> None:
    evidence = replace(EVIDENCE, suites=("api", "events", "logs"))
    suites = evaluate_gate(POLICY, evidence).objectives[0]
    assert (suites.level, suites.value) == ("fail", 1.0)
    assert suites.reason == "3 of 3 tests passed, meets >= 1; but suite events: 0 tests"


def test_skipped_tests_count_neither_as_passed_nor_as_samples() -> None:
    evidence = replace(EVIDENCE, tests=(*TESTS[:2], result("found", "logs"), result("s", "api", "skipped")))
    suites = evaluate_gate(POLICY, evidence).objectives[0]
    assert (suites.level, suites.value, suites.samples) == ("pass", 1.0, 3)
    fewer = evaluate_gate(POLICY, replace(evidence, tests=(*TESTS[1:], result("s", "api", "skipped"))))
    assert fewer.objectives[0].reason == "2 of 2 tests passed, but of 2 samples where at least 3 are needed"
    assert fewer.level == "fail"


def test_skipped_tests_alone_are_no_tests() -> None:
    evidence = replace(EVIDENCE, tests=tuple(replace(test, outcome="skipped") for test in TESTS))
    verdict = evaluate_gate(POLICY, evidence)
    assert verdict.objectives[0].reason == "0 of 3 tests ran"
    assert verdict.objectives[0].value is None
    assert verdict.level == "fail"


RUN = {
    "no image": (replace(EVIDENCE, images=()), "0 image digests, a verdict speaks of at least 1"),
    "an image without a digest": (
        replace(EVIDENCE, images=(Image("backend", "r", DIGEST), Image("sync", "r", ""))),
        "image sync: '' is no digest: sha256 and 64 hexadecimal digits",
    ),
    "an image by tag": (
        replace(EVIDENCE, images=(Image("sync", "r", "latest"),)),
        "image sync: 'latest' is no digest: sha256 and 64 hexadecimal digits",
    ),
    "a failure of the run": (
        replace(EVIDENCE, failures=("pod backend-0 was never ready",)),
        "the run failed: pod backend-0 was never ready",
    ),
    "a part of the tests": (
        replace(EVIDENCE, partial="--fast"),
        "a part of the tests was run: --fast",
    ),
    "a run that ended before it began": (
        replace(EVIDENCE, ended=STARTED - 1),
        "the run ended at 1759999999.000, it began at 1760000000.000",
    ),
    "a step that failed": (
        replace(EVIDENCE, steps=(StepTiming("install charts", STARTED, 240.0, "failed"),)),
        "step 'install charts': failed after 240 s",
    ),
    "a step that was stopped": (
        replace(EVIDENCE, steps=(StepTiming("run suites", STARTED, 12.5, "cancelled"),)),
        "step 'run suites': cancelled after 12.5 s",
    ),
    "evidence of another schema": (
        replace(EVIDENCE, schema="sluice.evidence/v0"),
        "the evidence is of schema 'sluice.evidence/v0', this gate reads 'sluice.evidence/v1'",
    ),
}


@pytest.mark.parametrize(("evidence", "reason"), RUN.values(), ids=RUN.keys())
def test_a_broken_run_fails_though_every_objective_passes(evidence: Evidence, reason: str) -> None:
    verdict = evaluate_gate(POLICY, evidence)
    assert verdict.score == 100
    assert (verdict.level, verdict.reasons) == ("fail", (reason,))


def test_a_policy_without_objectives_fails() -> None:
    verdict = evaluate_gate(replace(POLICY, objectives=(), pass_score=0.0, warn_score=0.0), EVIDENCE)
    assert (verdict.level, verdict.score) == ("fail", 0.0)
    assert verdict.reasons == ("the policy has 0 objectives, a verdict needs at least 1",)


def test_evidence_of_a_run_that_broke_at_once_is_judged_too() -> None:
    nothing = replace(EVIDENCE, images=(), steps=(), suites=(), tests=(), measurements=(), failures=("no engine",))
    verdict = evaluate_gate(POLICY, nothing)
    assert (verdict.level, verdict.score, verdict.digests) == ("fail", 0.0, ())
    assert verdict.reasons[0] == "the run failed: no engine"
    assert f"{ERRORS.name}: 0 measurements, expected 1" in verdict.reasons

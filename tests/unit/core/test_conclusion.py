"""What a run comes to: a verdict, or for a part of the suites whether it passed, and never a verdict on a release."""

from dataclasses import replace

import pytest
from tests.unit.gate.samples import POLICY, instead

from sluice.domain import Evidence, StepTiming, TestResult
from sluice.entrypoints.conclusion import conclusion
from sluice.steps.evaluate_gate import evaluate_gate

WHOLE = instead()
ONE = replace(WHOLE, suites=("api",), tests=tuple(test for test in WHOLE.tests if test.suite == "api"))
SHARD = replace(WHOLE, partial="shard 1 of 2")


def concluded(evidence: Evidence) -> tuple[str, int]:
    found = conclusion(POLICY.required_suites, evidence, evaluate_gate(POLICY, evidence))
    return found.text, found.exit_status


def failing(evidence: Evidence) -> Evidence:
    return replace(evidence, tests=(*evidence.tests[:-1], replace(evidence.tests[-1], outcome="failed")))


def test_a_whole_run_ends_with_its_verdict() -> None:
    assert concluded(WHOLE) == ("PASS  score 100 of 100", 0)
    text, status = concluded(failing(WHOLE))
    assert text.startswith("FAIL  score ")
    assert status == 1


def test_a_part_that_passed_says_what_it_was_and_gives_no_verdict() -> None:
    text, status = concluded(ONE)
    assert text.startswith(f"PARTIAL  1 of 2 suites, {len(ONE.tests)} tests, all passed; no verdict on a release")
    assert status == 0
    text, status = concluded(SHARD)
    assert text.startswith("PARTIAL  shard 1 of 2: 2 of 2 suites, ")
    assert status == 0


@pytest.mark.parametrize("part", [ONE, SHARD])
def test_no_part_is_a_verdict_on_a_release(part: Evidence) -> None:
    verdict = evaluate_gate(POLICY, part)
    assert verdict.level == "fail"
    assert any("it is required" in reason or "shard 1 of 2" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (failing(ONE), "1 failed"),
        (replace(SHARD, tests=()), "none ran"),
        (replace(ONE, tests=(TestResult("tests/e2e/api/a.py::b", "api", "skipped", 0, 0),)), "none ran"),
        (replace(ONE, failures=("the chart does not install",)), "the run failed"),
        (replace(ONE, steps=(*ONE.steps, StepTiming("run suites", 0, 9, "cancelled"))), "the run failed: run suites"),
    ],
)
def test_a_part_that_did_not_pass_is_told_with_its_cause(part: Evidence, said: str) -> None:
    text, status = concluded(part)
    assert (said in text, status) == (True, 1), text

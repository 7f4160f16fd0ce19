"""What counts as caught, and what says nothing about a release."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench.gate_mutants.judged import judge
from tests.unit.bench.samples import MUTANT, STARTED, STEPS, a_test, evidence, objective, run, verdict

from sluice.domain import StepTiming

SLOW = objective("p95-latency", "fail")


def test_a_mutant_is_caught_by_what_was_expected_and_the_first_sign_is_told(tmp_path: Path) -> None:
    found = evidence(tests=(a_test("late", 100, "failed"), a_test("early", 80, "error"), a_test("fine", 60)))
    folder = run(tmp_path, found, verdict("fail", objective("suites", "fail"), SLOW, objective("up", "pass")))
    judged = judge(folder, MUTANT, healthy=False)
    assert (judged.outcome, judged.found) == ("caught", "objective p95-latency")
    assert judged.first == "api/test_x.py::early"
    assert judged.objectives == ("suites", "p95-latency")
    # The last chart was installed after 40 s.
    assert (judged.to_first, judged.to_verdict) == (40.0, 110.0)


def test_what_fails_for_another_reason_alone_is_told_apart(tmp_path: Path) -> None:
    folder = run(
        tmp_path, evidence(tests=(a_test("flaky", 80, "failed"),)), verdict("fail", objective("suites", "fail"))
    )
    judged = judge(folder, MUTANT, healthy=False)
    assert (judged.outcome, judged.found) == ("caught by chance", "")
    assert judged.first == "api/test_x.py::flaky"


@pytest.mark.parametrize("level", ["warn", "pass"])
def test_what_may_go_is_missed_also_with_a_warning(tmp_path: Path, level: str) -> None:
    folder = run(tmp_path, evidence(), verdict(level, objective("p95-latency", level), reasons=("score 93",)))
    judged = judge(folder, MUTANT, healthy=False)
    assert (judged.outcome, judged.reason) == ("missed", "score 93")


@pytest.mark.parametrize(("level", "outcome"), [("pass", "passed"), ("warn", "failed"), ("fail", "failed")])
def test_a_healthy_release_has_to_pass(tmp_path: Path, level: str, outcome: str) -> None:
    folder = run(tmp_path, evidence(), verdict(level, reasons=("so",)))
    assert judge(folder, MUTANT, healthy=True).outcome == outcome


def test_a_release_that_does_not_come_up_is_caught_by_its_step(tmp_path: Path) -> None:
    broken = (STEPS[0], StepTiming("install backend", STARTED + 20, 190, "failed", "not ready"))
    found = evidence(
        steps=(*broken, StepTiming("install sync", STARTED + 25, 185, "cancelled")), failures=("not ready",), tests=()
    )
    expected = replace(MUTANT, expect=("step install",))
    judged = judge(run(tmp_path, found, verdict("fail")), expected, healthy=False)
    assert (judged.outcome, judged.found) == ("caught", "step install backend")
    assert (judged.to_first, judged.to_verdict) == (190.0, 130.0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"failures": ("stopped by SIGINT",)}, "stopped by SIGINT"),
        ({"steps": (StepTiming("create cluster", STARTED, 9, "failed", "no network"),)}, "no network"),
        ({"steps": STEPS[:3]}, "the suites did not run"),
        ({"steps": (*STEPS[:3], StepTiming("supply kafka", STARTED + 41, 1, "failed", "gone"))}, "gone"),
    ],
)
def test_a_run_that_broke_by_itself_judges_nobody(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    folder = run(tmp_path, evidence(**changed), verdict("fail", SLOW))
    for healthy in (True, False):
        judged = judge(folder, MUTANT, healthy=healthy)
        assert judged.outcome == "not judged"
        assert said in judged.reason


def test_without_whole_evidence_nothing_is_judged(tmp_path: Path) -> None:
    assert judge(None, MUTANT, healthy=False).outcome == "not judged"
    folder = run(tmp_path, evidence(), verdict("fail", SLOW))
    (folder / "verdict.json").write_text("{")
    assert "not whole" in judge(folder, MUTANT, healthy=False).reason

"""A run's evidence and verdict as a bench finds them, and results made of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.gate_mutants.faults import Change, Edit
from bench.gate_mutants.judged import Judged
from bench.gate_mutants.results import Result

from sluice.domain import (
    EVIDENCE_SCHEMA,
    VERDICT_SCHEMA,
    Evidence,
    ObjectiveResult,
    StepTiming,
    TestResult,
    Verdict,
    dump,
)

STARTED = 1_760_000_000.0
MUTANT = Change("slow", "it is slow", (Edit("app.py", "quick", "slow"),), ("objective p95-latency",))
STEPS = (
    StepTiming("create cluster", STARTED, 10, "done"),
    StepTiming("install backend", STARTED + 20, 10, "done"),
    StepTiming("install sync", STARTED + 20, 20, "done"),
    StepTiming("run suites", STARTED + 40, 100, "done"),
)


def a_test(name: str, at: float, outcome: str = "passed", suite: str = "api") -> TestResult:
    """A test that ended `at` seconds after the run's start."""
    path = f"tests/e2e/{suite}/test_x.py::{name}"
    return TestResult(path, suite, outcome, STARTED + at - 1, 1.0)  # type: ignore[arg-type]


def objective(name: str, level: str) -> ObjectiveResult:
    """A line of a verdict."""
    return ObjectiveResult(name, level, 2.0, "seconds", "<= 1", "", 1, 0, True, "2 s")  # type: ignore[arg-type]


def verdict(level: str, *objectives: ObjectiveResult, reasons: tuple[str, ...] = ()) -> Verdict:
    """A verdict with these lines."""
    return Verdict(VERDICT_SCHEMA, "r1", level, 75, 90, 75, (), objectives, reasons)  # type: ignore[arg-type]


def evidence(**changed: Any) -> Evidence:
    """Evidence of a run that went well."""
    whole = Evidence(
        schema=EVIDENCE_SCHEMA,
        run_id="r1",
        started=STARTED,
        ended=STARTED + 150,
        revision="",
        dirty=False,
        source_digest="",
        runtime="docker",
        kubernetes="v1",
        images=(),
        components=(),
        steps=STEPS,
        suites=("api",),
        tests=(a_test("fine", 60),),
        measurements=(),
    )
    return replace(whole, **changed)


def run(folder: Path, found: Evidence, judged: Verdict) -> Path:
    """A run's folder with both."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evidence.json").write_bytes(dump(found))
    (folder / "verdict.json").write_bytes(dump(judged))
    return folder


def result(name: str, outcome: str, kind: str = "mutant", **judged: Any) -> Result:
    """A result with this outcome."""
    came = Judged(outcome, judged.pop("reason", "said so"), **judged)  # type: ignore[arg-type]
    return Result(name, kind, f"what {name} is", came, 300.0, STARTED, "0123456789ab", ("api",))  # type: ignore[arg-type]

"""evidence and verdict → what came of a release: caught or not, by what first, and how long after it was deployed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.gate_mutants.faults import Change

from sluice.domain import Evidence, StepTiming, Verdict, load
from sluice.errors import EvidenceError

Outcome = Literal["caught", "caught by chance", "missed", "passed", "failed", "not judged"]

_SUITES = "run suites"
# Steps that can fail for what is in the release; whatever else fails in a run says nothing about it.
_OF_THE_RELEASE = ("build images", "install ", "postgresql for ", _SUITES)
_TESTS = "tests/e2e/"
_TESTS_OBJECTIVE = "suites"  # says only that a test failed, and the test is named


@dataclass(frozen=True)
class Sign:
    """One thing that spoke against a release: a step, a test or an objective; `at` is since the Unix epoch."""

    at: float
    told: str


@dataclass(frozen=True)
class Judged:
    """What came of a run. `first` is the earliest sign, `found` the earliest of those that were expected.

    `to_first` and `to_verdict` are seconds since the release was deployed, or since that was begun where it failed.
    """

    outcome: Outcome
    reason: str
    first: str = ""
    found: str = ""
    objectives: tuple[str, ...] = ()
    to_first: float = 0.0
    to_verdict: float = 0.0
    score: float = 0.0


def judge(folder: Path | None, change: Change, *, healthy: bool) -> Judged:
    """Read a run's evidence and verdict; a run that left none, or broke by itself, is not judged."""
    if folder is None:
        return Judged("not judged", "the run left no evidence")
    try:
        evidence, verdict = load(Evidence, folder / "evidence.json"), load(Verdict, folder / "verdict.json")
    except EvidenceError as error:
        return Judged("not judged", str(error).splitlines()[0])
    if accident := _accident(evidence):
        return Judged("not judged", accident)
    signs = sorted(_signs(evidence, verdict), key=lambda sign: sign.at)
    found = next((sign for sign in signs if any(part in sign.told for part in change.expect)), None)
    deployed = _deployed(evidence)
    return Judged(
        outcome=_outcome(verdict, found, healthy=healthy),
        reason="; ".join(verdict.reasons) or f"{verdict.level}, score {verdict.score:g}",
        first=signs[0].told if signs else "",
        found=found.told if found else "",
        objectives=tuple(one.name for one in verdict.objectives if one.level != "pass"),
        to_first=round(signs[0].at - deployed, 1) if signs else 0.0,
        to_verdict=round(evidence.ended - deployed, 1),
        score=verdict.score,
    )


def _outcome(verdict: Verdict, found: Sign | None, *, healthy: bool) -> Outcome:
    """A warning lets a release go: only a fail has caught it."""
    if healthy:
        return "passed" if verdict.level == "pass" else "failed"
    if verdict.level != "fail":
        return "missed"
    # A test that fails now and then must not pass for one that found something.
    return "caught" if found else "caught by chance"


def _accident(evidence: Evidence) -> str:
    """Why a run says nothing about its release; empty where it does."""
    if stopped := [failure for failure in evidence.failures if failure.startswith("stopped by ")]:
        return stopped[0]
    failed = sorted(_failed(evidence.steps), key=lambda step: step.started + step.seconds)
    if failed and not _of_the_release(failed[0].name):
        return f"step {failed[0].name!r} failed: {failed[0].detail or 'see the run'}".splitlines()[0]
    if not failed and not any(step.name == _SUITES for step in evidence.steps):
        return "the suites did not run: " + "; ".join(evidence.failures or ("no reason is told",))
    return ""


def _failed(steps: tuple[StepTiming, ...]) -> list[StepTiming]:
    return [step for step in steps if step.outcome == "failed"]


def _of_the_release(step: str) -> bool:
    return step.startswith(_OF_THE_RELEASE) or " for " in step


def _signs(evidence: Evidence, verdict: Verdict) -> Iterator[Sign]:
    for step in _failed(evidence.steps):
        yield Sign(step.started + step.seconds, f"step {step.name}")
    for test in evidence.tests:
        # What could not run because the process died or the deadline passed is at the end of the window.
        if test.outcome in ("failed", "error"):
            yield Sign(test.started + test.seconds, test.id.removeprefix(_TESTS))
    for objective in verdict.objectives:
        if objective.level == "fail" and objective.name != _TESTS_OBJECTIVE:
            yield Sign(evidence.ended, f"objective {objective.name}")


def _deployed(evidence: Evidence) -> float:
    """When the release stood on the cluster; where it did not get there, when its installation was begun."""
    installs = [step for step in evidence.steps if step.name.startswith("install ")]
    if not installs:
        return evidence.started
    if any(step.outcome != "done" for step in installs):
        return min(step.started for step in installs)
    return max(step.started + step.seconds for step in installs)

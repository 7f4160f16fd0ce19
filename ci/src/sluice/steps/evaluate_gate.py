"""evidence → verdict: a pure function of the policy and the evidence, which fails closed.

Nothing is read but the two arguments, no clock and no cluster, so the same evidence gives the same verdict
years later. What was not measured fails the run whatever its weight: a weight weighs a measured value, not
the want of one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sluice.domain import EVIDENCE_SCHEMA, VERDICT_SCHEMA, Evidence, Level, ObjectiveResult, Override, Verdict
from sluice.gate import tests as tested
from sluice.gate.judging import Judged, judge
from sluice.gate.trust import doubts
from sluice.policy import Objective, Policy, why_not_overridden

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_EARNED: dict[Level, float] = {"pass": 1.0, "warn": 0.5, "fail": 0.0}


@dataclass
class _Against:
    """What is said of a run: it fails it, keeps it from passing, is only told, or is for the reader to know."""

    blocking: list[str]
    capping: list[str]
    remarks: list[str]
    notes: list[str]


def evaluate_gate(policy: Policy, evidence: Evidence) -> Verdict:
    """Judge a run. Never raises: whatever is missing or broken in the evidence is a fail, with its reason.

    The score is Keptn v1's, in percent: an objective that passes earns its weight, one that warns half of it,
    and the sum is set against the sum of all weights. From `pass_score` on the verdict is pass, from
    `warn_score` on warn, and fail as soon as a key objective fails ("Scoring" and "key_sli" in
    https://github.com/keptn/spec/blob/master/service_level_objective.md).
    Unlike in Keptn an objective without data fails the verdict, and so do failures of the run itself. An override
    or a flaky test leaves a verdict that warns at best.
    """
    suites, trust = tested.suite_problems(policy, evidence), doubts(policy, evidence)
    counted = tested.count(evidence.tests, evidence.quarantine, at=evidence.ended)
    said = _Against(
        [*_run_problems(evidence), *suites, *tested.quarantine_problems(evidence), *trust.problems], [], [], []
    )
    if counted.flaky:
        said.capping.append(f"passed only when run again: {tested.named(counted.flaky)}")
    results = [_settled(one, judge(one, policy, evidence, suites), evidence, said) for one in policy.objectives]
    score = _score(results)
    level: Level = "pass" if score >= policy.pass_score else "warn" if score >= policy.warn_score else "fail"
    if not results:
        said.blocking.append("the policy has 0 objectives, a verdict needs at least 1")
    if level != "pass":
        said.remarks.append(
            f"score {score:.6g}: {policy.pass_score:g} is needed to pass, {policy.warn_score:g} to warn"
        )
    if said.blocking:
        level = "fail"
    elif said.capping and level == "pass":
        level = "warn"
    return Verdict(
        schema=VERDICT_SCHEMA,
        run_id=evidence.run_id,
        level=level,
        score=score,
        pass_score=policy.pass_score,
        warn_score=policy.warn_score,
        digests=tuple(sorted({image.digest for image in evidence.images})),
        objectives=tuple(results),
        reasons=(*said.blocking, *said.capping, *said.remarks),
        notes=(*trust.notes, *said.notes, *tested.quarantine_notes(evidence), *_idle_overrides(policy, evidence)),
        flaky=counted.flaky,
        quarantined=counted.quarantined,
    )


def _settled(objective: Objective, judged: Judged, evidence: Evidence, said: _Against) -> ObjectiveResult:
    """The line of the verdict, after an override; and what it says of the run."""
    result = judged.result
    override = _override_of(objective, evidence) if judged.measured and result.level == "fail" else None
    if override:
        result = replace(result, level="warn", override=override)
        said.capping.append(
            f"{result.name}: {result.reason}; {override.who} answers for it until {_day(override)}: {override.why}"
        )
    elif not judged.measured:
        said.blocking.append(f"{result.name}: {result.reason}")
    elif result.level == "fail" and result.key:
        said.blocking.append(f"{result.name}: {result.reason}; it is a key objective")
    elif result.level != "pass":
        said.remarks.append(f"{result.name}: {result.reason}")
    if judged.note:
        said.notes.append(f"{result.name}: {judged.note}")
    return replace(result, score=_EARNED[result.level] * result.weight)


def _override_of(objective: Objective, evidence: Evidence) -> Override | None:
    """The override that holds for an objective at the run's end; the policy may allow none."""
    if why_not_overridden(objective):
        return None
    found = (one for one in evidence.overrides if one.objective == objective.name and one.until > evidence.ended)
    return next(found, None)


def _idle_overrides(policy: Policy, evidence: Evidence) -> Iterator[str]:
    """Overrides that are refused, each with the reason; load_overrides refuses them already."""
    known = {objective.name: objective for objective in policy.objectives}
    for one in evidence.overrides:
        refused = why_not_overridden(known.get(one.objective))
        if not one.until > evidence.ended:
            refused = f"it was over on {_day(one)}"
        if refused:
            yield f"the override of {one.objective} by {one.who} is refused: {refused}"


def _day(override: Override) -> str:
    # Not of the host's calendar: its time zone is no part of the evidence.
    return tested.day(override.until)


def _score(results: Sequence[ObjectiveResult]) -> float:
    """Percent of the weights earned, 0 without objectives. Halves add up exactly, in any order."""
    total = sum(result.weight for result in results)
    return 100 * sum(result.score for result in results) / total if total else 0.0


def _run_problems(evidence: Evidence) -> Iterator[str]:
    """What stands against the run as a whole."""
    if evidence.schema != EVIDENCE_SCHEMA:
        yield f"the evidence is of schema {evidence.schema!r}, this gate reads {EVIDENCE_SCHEMA!r}"
    if not evidence.ended >= evidence.started:
        yield f"the run ended at {evidence.ended:.3f}, it began at {evidence.started:.3f}"
    for failure in evidence.failures:
        yield f"the run failed: {failure}"
    if evidence.partial:
        yield f"a part of the tests was run: {evidence.partial}"
    for step in evidence.steps:
        if step.outcome != "done":
            yield f"step {step.name!r}: {step.outcome} after {step.seconds:g} s"
    if not evidence.images:
        yield "0 image digests, a verdict speaks of at least 1"
    for image in evidence.images:
        if not _DIGEST.fullmatch(image.digest):
            yield f"image {image.name}: {image.digest!r} is no digest: sha256 and 64 hexadecimal digits"

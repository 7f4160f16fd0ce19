"""evidence → verdict: a pure function of the policy and the evidence, which fails closed.

Nothing is read but the two arguments, no clock and no cluster, so the same evidence gives the same verdict
years later. What was not measured fails the run whatever its weight: a weight weighs a measured value, not
the want of one.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sluice.domain import (
    EVIDENCE_SCHEMA,
    VERDICT_SCHEMA,
    Evidence,
    Level,
    Measurement,
    ObjectiveResult,
    TestResult,
    Verdict,
)
from sluice.policy import Objective, Policy

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_EARNED: dict[Level, float] = {"pass": 1.0, "warn": 0.5, "fail": 0.0}
_NAMED = 5  # as many names are told in one reason, the rest is counted


class _UnmeasuredError(Exception):
    """Raised with the reason, in numbers, why an objective has no value to judge."""


@dataclass(frozen=True)
class _Reading:
    """The value of an objective, the samples behind it, and the two in words."""

    value: float
    samples: int
    told: str


def evaluate_gate(policy: Policy, evidence: Evidence) -> Verdict:
    """Judge a run. Never raises: whatever is missing or broken in the evidence is a fail, with its reason.

    The score is Keptn v1's, in percent: an objective that passes earns its weight, one that warns half of it,
    and the sum is set against the sum of all weights. From `pass_score` on the verdict is pass, from
    `warn_score` on warn, and fail as soon as a key objective fails ("Scoring" and "key_sli" in
    https://github.com/keptn/spec/blob/master/service_level_objective.md).
    Unlike in Keptn an objective without data fails the verdict, and so do failures of the run itself.
    """
    suites = tuple(_suite_problems(policy, evidence))
    blocking, remarks = [*_run_problems(evidence), *suites], []
    results = []
    for objective in policy.objectives:
        result, measured = _judge(objective, evidence, suites)
        results.append(result)
        if not measured:
            blocking.append(f"{result.name}: {result.reason}")
        elif result.level == "fail" and result.key:
            blocking.append(f"{result.name}: {result.reason}; it is a key objective")
        elif result.level != "pass":
            remarks.append(f"{result.name}: {result.reason}")
    score = _score(results)
    level: Level = "pass" if score >= policy.pass_score else "warn" if score >= policy.warn_score else "fail"
    if not results:
        blocking.append("the policy has 0 objectives, a verdict needs at least 1")
    if level != "pass":
        remarks.append(f"score {score:.6g}: {policy.pass_score:g} is needed to pass, {policy.warn_score:g} to warn")
    return Verdict(
        schema=VERDICT_SCHEMA,
        run_id=evidence.run_id,
        level="fail" if blocking else level,
        score=score,
        pass_score=policy.pass_score,
        warn_score=policy.warn_score,
        digests=tuple(sorted({image.digest for image in evidence.images})),
        objectives=tuple(results),
        reasons=(*blocking, *remarks),
    )


def _score(results: Sequence[ObjectiveResult]) -> float:
    """Percent of the weights earned, 0 without objectives. Halves add up exactly, in any order."""
    total = sum(result.weight for result in results)
    return 100 * sum(result.score for result in results) / total if total else 0.0


def _run_problems(evidence: Evidence) -> Iterator[str]:
    """What stands against the run as a whole."""
    if evidence.schema != EVIDENCE_SCHEMA:
        yield f"the evidence is of schema {evidence.schema!r}, this gate reads {EVIDENCE_SCHEMA!r}"
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


def _suite_problems(policy: Policy, evidence: Evidence) -> Iterator[str]:
    """What stands against the suites, by name. Skipped tests prove nothing."""
    by_suite: dict[str, list[TestResult]] = {name: [] for name in (*policy.required_suites, *evidence.suites)}
    for test in evidence.tests:
        by_suite.setdefault(test.suite, []).append(test)
    if not evidence.tests:
        yield "0 tests ran"
    for name, tests in sorted(by_suite.items()):
        bad = sorted(test.id for test in tests if test.outcome not in ("passed", "skipped"))
        if not tests:
            yield f"suite {name}: 0 tests" + (", and it is required" if name in policy.required_suites else "")
        elif bad:
            more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
            yield f"suite {name}: {len(bad)} of {len(tests)} tests failed: {', '.join(bad[:_NAMED])}{more}"
        elif all(test.outcome == "skipped" for test in tests):
            yield f"suite {name}: {len(tests)} of {len(tests)} tests skipped, 0 passed"


def _judge(objective: Objective, evidence: Evidence, suites: Sequence[str]) -> tuple[ObjectiveResult, bool]:
    """One line of the verdict, and whether there was a value to judge."""
    reading: _Reading | None = None
    level: Level = "fail"
    measured = False
    samples = _samples(objective, evidence)
    try:
        reading = _read(objective, evidence, samples)
        if samples < objective.min_samples:
            # The fewer the requests, the less a ratio of them says: "Low-Traffic Services and Error Budget
            # Alerting" in the SRE workbook, https://sre.google/workbook/alerting-on-slos/
            needed = f"at least {objective.min_samples} are needed"
            raise _UnmeasuredError(f"{reading.told}, but of {samples} samples where {needed}")
        level, reason = _level(objective, reading)
        measured = True
    except _UnmeasuredError as unmeasured:
        reason = str(unmeasured)
    if level != "fail" and objective.kind == "tests" and suites:
        more = f" and {len(suites) - 1} more" if len(suites) > 1 else ""
        level, reason = "fail", f"{reason}; but {suites[0]}{more}"
    return ObjectiveResult(
        name=objective.name,
        level=level,
        value=reading.value if reading else None,
        unit=objective.unit,
        pass_criterion=str(objective.pass_criterion),
        warn_criterion=str(objective.warn_criterion) if objective.warn_criterion else "",
        weight=objective.weight,
        score=_EARNED[level] * objective.weight,
        key=objective.key,
        reason=reason,
        samples=samples,
    ), measured


def _level(objective: Objective, reading: _Reading) -> tuple[Level, str]:
    strict, loose = objective.pass_criterion, objective.warn_criterion
    if strict.holds(reading.value):
        return "pass", f"{reading.told}, meets {strict}"
    if loose and loose.holds(reading.value):
        return "warn", f"{reading.told}, misses {strict}, meets {loose}"
    return "fail", f"{reading.told}, misses {strict}" + (f" and {loose}" if loose else "")


def _measurements(objective: Objective, evidence: Evidence) -> list[Measurement]:
    return [measurement for measurement in evidence.measurements if measurement.objective == objective.name]


def _samples(objective: Objective, evidence: Evidence) -> int:
    """How many samples stand behind the objective's value; of tests, those that were not skipped."""
    if objective.kind == "tests":
        return sum(test.outcome != "skipped" for test in evidence.tests)
    found = _measurements(objective, evidence)
    return found[0].samples if len(found) == 1 else 0


def _read(objective: Objective, evidence: Evidence, samples: int) -> _Reading:
    """The objective's value. Raises _UnmeasuredError when there is none that can be judged."""
    if objective.kind == "tests":
        if not samples:
            raise _UnmeasuredError(f"0 of {len(evidence.tests)} tests ran")
        passed = sum(test.outcome == "passed" for test in evidence.tests)
        return _Reading(passed / samples, samples, f"{passed} of {samples} tests passed")
    found = _measurements(objective, evidence)
    if len(found) != 1:
        raise _UnmeasuredError(f"{len(found)} measurements, expected 1")
    measurement = found[0]
    _refuse_foreign(objective, measurement, evidence)
    if not measurement.values:
        raise _UnmeasuredError("0 series, expected at least 1")
    unfit = [value for value in measurement.values if not math.isfinite(value)]
    if unfit:
        count = f"{len(unfit)} of {len(measurement.values)}"
        raise _UnmeasuredError(f"{count} series have no finite value, the first is {unfit[0]}")
    value = objective.pass_criterion.worst(measurement.values) + 0.0  # -0.0 becomes 0.0, whatever the series' order
    several = f", the worst of {len(measurement.values)} series" if len(measurement.values) > 1 else ""
    return _Reading(value, samples, f"{value:.6g} {objective.unit}{several}")


def _refuse_foreign(objective: Objective, measurement: Measurement, evidence: Evidence) -> None:
    """Raise _UnmeasuredError for a failed measurement, and one of another query, unit or time."""
    if measurement.error:
        raise _UnmeasuredError(f"the query failed: {measurement.error}")
    if (measurement.kind, measurement.unit) != (objective.kind, objective.unit):
        expected = f"the policy asks for {objective.kind} in {objective.unit!r}"
        raise _UnmeasuredError(f"measured as {measurement.kind} in {measurement.unit!r}, {expected}")
    if not objective.asks(measurement.query):
        seen = " ".join(measurement.query.split())[:200]
        raise _UnmeasuredError(f"measured by another query than the policy's: {seen}")
    if not (math.isfinite(measurement.window_seconds) and measurement.window_seconds > 0):
        raise _UnmeasuredError(f"measured over {measurement.window_seconds:g} s, expected a window above 0 s")
    if not measurement.at >= evidence.started:
        raise _UnmeasuredError(f"measured at {measurement.at:.3f}, the run began at {evidence.started:.3f}")

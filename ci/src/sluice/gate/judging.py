"""One objective → its line of the verdict: value, baseline, criterion, level, and the reason in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.domain import Evidence, Level, ObjectiveResult
from sluice.gate import tests
from sluice.gate.comparison import Basis, basis_of, comparable
from sluice.gate.readings import UnmeasuredError, Value, the_one, values_of, worst_of
from sluice.policy import Criterion, Objective, Policy

_RANK: dict[Level, int] = {"fail": 0, "warn": 1, "pass": 2}


@dataclass(frozen=True)
class Judged:
    """A line of the verdict (its score is still 0), whether there was a value to judge, what a reader should know."""

    result: ObjectiveResult
    measured: bool
    note: str = ""


@dataclass(frozen=True)
class _Line:
    """One value of an objective, held against its criteria."""

    value: Value
    basis: Basis | None
    level: Level
    told: str


def judge(objective: Objective, policy: Policy, evidence: Evidence, suite_problems: Sequence[str]) -> Judged:
    """Judge one objective. Never raises: a value that cannot be had is a fail, with the reason."""
    samples = _samples(objective, evidence)
    line: _Line | None = None
    level: Level = "fail"
    measured, note = False, ""
    try:
        line = _judged(objective, policy, evidence)
        _refuse_few(objective, line, samples)
        _refuse_short(objective, evidence)
        level, reason, measured = line.level, line.told, True
        if line.basis is None and _relative(objective):
            note = _without_basis(objective, policy, evidence, line.value)
    except UnmeasuredError as unmeasured:
        reason = str(unmeasured)
    if level != "fail" and objective.kind == "tests" and suite_problems:
        more = f" and {len(suite_problems) - 1} more" if len(suite_problems) > 1 else ""
        level, reason = "fail", f"{reason}; but {suite_problems[0]}{more}"
    basis = line.basis if line else None
    strict, loose = objective.pass_criterion, objective.warn_criterion
    return Judged(
        ObjectiveResult(
            name=objective.name,
            level=level,
            value=line.value.number if line else None,
            unit=objective.unit,
            pass_criterion=str(strict),
            warn_criterion=str(loose) if loose else "",
            weight=objective.weight,
            score=0.0,
            key=objective.key,
            reason=reason,
            samples=samples,
            baseline=basis.value if basis else None,
            baselines=basis.releases if basis else 0,
            interval=(basis.low, basis.high) if basis else None,
            limit=strict.limit(basis.low, basis.high) if basis else None,
            pass_relative=strict.relative,
            warn_relative=loose.relative if loose else "",
        ),
        measured,
        note,
    )


def _judged(objective: Objective, policy: Policy, evidence: Evidence) -> _Line:
    """The value that counts, with its level. Raises UnmeasuredError where there is none."""
    if objective.kind == "tests":
        return _of_tests(objective, evidence)
    values = values_of(objective, evidence.measurements)
    # Images are compared each with its own baseline; elsewhere the worst series is compared with the worst.
    candidates = values if objective.kind == "image" else (worst_of(objective, values),)
    many = f", the worst of {len(values)} series" if len(values) > len(candidates) else ""
    lines = []
    for value in candidates:
        basis = None
        if _relative(objective):
            basis = basis_of(objective, value, evidence.baselines, needed=policy.baselines.needed)
        whose = f" ({value.name})" if value.name else ""
        level, told = _level(objective, value.number, basis)
        lines.append(_Line(value, basis, level, f"{_number(value.number)} {objective.unit}{many}{whose}, {told}"))
    lowest = [line for line in lines if _RANK[line.level] == min(_RANK[line.level] for line in lines)]
    worst = worst_of(objective, [line.value for line in lowest])
    return next(line for line in lowest if line.value == worst)


def _of_tests(objective: Objective, evidence: Evidence) -> _Line:
    """Of the tests that count, those that passed: at best a warning where some did so only when run again."""
    counted = tests.count(evidence.tests, evidence.quarantine, at=evidence.ended)
    if not counted.ran:
        raise UnmeasuredError(f"0 of {len(evidence.tests)} tests ran")
    level, told = _level(objective, counted.ratio, None)
    passed = f"{len(counted.passed) + len(counted.flaky)} of {counted.ran} tests passed"
    if counted.flaky:
        level = level if level == "fail" else "warn"
        passed += f", {len(counted.flaky)} of them only when run again ({tests.named(counted.flaky)})"
    return _Line(Value(counted.ratio), None, level, f"{passed}, {told}")


def _level(objective: Objective, value: float, basis: Basis | None) -> tuple[Level, str]:
    strict, loose = objective.pass_criterion, objective.warn_criterion
    missed = _missed(strict, value, basis)
    if not missed:
        return "pass", f"meets {_shown(strict, basis)}"
    told = f"misses {' and '.join(missed)}"
    if loose is None:
        return "fail", told
    missed_too = [one for one in _missed(loose, value, basis) if one not in missed]
    if loose.holds(value, **_ends(basis)):
        return "warn", f"{told}, meets {_shown(loose, basis)}"
    return "fail", f"misses {' and '.join((*missed, *missed_too))}"


def _missed(criterion: Criterion, value: float, basis: Basis | None) -> list[str]:
    """The parts of a criterion that a value does not meet."""
    missed = [] if criterion.holds(value) else [str(criterion)]
    limit = criterion.limit(**_ends(basis))
    if limit is not None and not Criterion(criterion.operator, limit).holds(value):
        missed.append(_relation(criterion, basis))
    return missed


def _shown(criterion: Criterion, basis: Basis | None) -> str:
    relation = _relation(criterion, basis)
    return f"{criterion} and {relation}" if relation else str(criterion)


def _relation(criterion: Criterion, basis: Basis | None) -> str:
    """`<= +10 % of 0.15 (0.209: 3 passed releases lie within 0.12 and 0.19)`."""
    limit = criterion.limit(**_ends(basis))
    if limit is None or basis is None:
        return ""
    if basis.low == basis.high:
        whose = "the last release" if basis.releases == 1 else f"{basis.releases} passed releases"
        return f"{criterion.relative} of {_number(basis.value)} ({_number(limit)}, of {whose})"
    spread = f"{basis.releases} passed releases lie within {_number(basis.low)} and {_number(basis.high)}"
    return f"{criterion.relative} of {_number(basis.value)} ({_number(limit)}: {spread})"


def _number(value: float) -> str:
    """Six digits, and all of a large number: bytes are compared by eye with what a registry says."""
    return f"{value:.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def _ends(basis: Basis | None) -> dict[str, float | None]:
    return {"low": basis.low if basis else None, "high": basis.high if basis else None}


def _relative(objective: Objective) -> bool:
    criteria = (objective.pass_criterion, objective.warn_criterion)
    return any(criterion is not None and criterion.change is not None for criterion in criteria)


def _without_basis(objective: Objective, policy: Policy, evidence: Evidence, value: Value) -> str:
    """Why the change was not looked at: the absolute bound, which is always there, decided alone."""
    alone = "the absolute bound alone decides"
    if objective.kind == "image":
        return f"no passed release has an image {value.name}: {alone}"
    found = comparable(objective, evidence.baselines)
    return f"{found} passed releases to compare with, {policy.baselines.needed} are needed: {alone}"


def _samples(objective: Objective, evidence: Evidence) -> int:
    """How many samples stand behind the objective's value; of tests, those that count."""
    if objective.kind == "tests":
        return tests.count(evidence.tests, evidence.quarantine, at=evidence.ended).ran
    found = [one for one in evidence.measurements if one.objective == objective.name]
    return found[0].samples if len(found) == 1 else 0


def _refuse_few(objective: Objective, line: _Line, samples: int) -> None:
    """Raise UnmeasuredError for fewer samples than the objective needs.

    The fewer the requests, the less a ratio of them says: "Low-Traffic Services and Error Budget Alerting" in the SRE
    workbook, https://sre.google/workbook/alerting-on-slos/
    """
    if samples < objective.min_samples:
        told = line.told.partition(", misses")[0].partition(", meets")[0]
        needed = f"at least {objective.min_samples} are needed"
        raise UnmeasuredError(f"{told}, but of {samples} samples where {needed}")


def _refuse_short(objective: Objective, evidence: Evidence) -> None:
    """Raise UnmeasuredError for a value from before the run, or one that saw less of it than its soak."""
    if objective.kind == "tests":
        return
    measurement = the_one(objective, evidence.measurements)
    if not measurement.at >= evidence.started:
        raise UnmeasuredError(f"measured at {measurement.at:.3f}, the run began at {evidence.started:.3f}")
    seen = min(measurement.window_seconds, measurement.at - evidence.started)
    if not seen >= objective.soak:
        raise UnmeasuredError(f"saw {seen:.6g} s of the run, at least {objective.soak:g} s are needed (soak)")

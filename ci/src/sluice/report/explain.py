"""`gate --explain`: each objective in words that teach how its level came about."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from sluice.domain import Evidence, Measurement, ObjectiveResult, Verdict
from sluice.policy import Objective, Policy, expand
from sluice.report import words

_VALUES = 12  # as many are listed, the rest is counted
_MEANS = {
    "pass": "earns its whole weight",
    "warn": "earns half of its weight",
    "fail": "earns nothing",
}


def explained(policy: Policy, evidence: Evidence, verdict: Verdict) -> RenderableType:
    """Every objective with query, window, values, baseline, interval, criterion and score; then the sum."""
    measured = {one.objective: one for one in evidence.measurements}
    results = {one.name: one for one in verdict.objectives}
    parts: list[Text] = []
    for objective in policy.objectives:
        result = results[objective.name]
        parts.append(Text(f"{objective.name}: {result.level}", style="bold"))
        lines = _lines(policy, objective, result, measured.get(objective.name))
        parts += [Text(words.printable(f"  {name:<10} {said}"), overflow="fold") for name, said in lines]
        parts.append(Text())
    parts += [Text(line) for line in _sum(verdict)]
    return Group(*parts, Text())


def _lines(
    policy: Policy, objective: Objective, result: ObjectiveResult, measurement: Measurement | None
) -> Iterator[tuple[str, str]]:
    unit = objective.unit
    if objective.description:
        yield "asks", objective.description
    yield "kind", _kind(objective)
    window = measurement.window_seconds if measurement else 0.0
    query = measurement.query if measurement else expand(objective.promql, window_seconds=window, namespace="…")
    yield "query", "\n             ".join(query.strip().splitlines())
    if measurement:
        yield "window", f"{words.duration(window)} that end at {words.moment(measurement.at)}"
        yield "values", _values(measurement, unit)
        for found in measurement.found:
            yield "found", found
        if measurement.error:
            yield "error", f"{measurement.error}; what was not measured fails, whatever its weight"
    yield "samples", f"{result.samples}, at least {objective.min_samples} are needed"
    if objective.soak:
        yield "soak", f"at least {words.duration(objective.soak)} of the run must have been seen"
    yield "counts", f"{words.quantity(result.value, unit)}: of several values the one furthest from passing"
    yield from _comparison(policy, objective, result)
    yield "pass", _criterion(result.pass_criterion, result.pass_relative, unit)
    if result.warn_criterion:
        yield "warn", _criterion(result.warn_criterion, result.warn_relative, unit)
    yield "result", result.reason
    if result.override:
        one = result.override
        yield "override", f"{one.who} answers for it until {words.moment(one.until)}: {one.why}; a fail became a warn"
    key = "; a key objective: when it fails, so does the verdict" if result.key else ""
    yield "score", f"{result.score:g} of {result.weight}: {result.level} {_MEANS[result.level]}{key}"


def _kind(objective: Objective) -> str:
    return {
        "promql": "PromQL, asked of Prometheus at the end of the window",
        "logql": "LogQL, asked of Loki at the end of the window",
        "tests": "the tests' own results; skipped ones and those in quarantine do not count",
        "image": "a fact of each image",
        "slo": "what the rules of services/*/slo.yaml record (docs/slo.md)",
    }[objective.kind]


def _values(measurement: Measurement, unit: str) -> str:
    names = measurement.names or ("",) * len(measurement.values)
    pairs = zip(measurement.values, names, strict=False)
    told = [f"{words.quantity(value, unit)}{f' ({name})' if name else ''}" for value, name in pairs]
    more = f" and {len(told) - _VALUES} more" if len(told) > _VALUES else ""
    return (", ".join(told[:_VALUES]) or "none: the query found no series") + more


def _comparison(policy: Policy, objective: Objective, result: ObjectiveResult) -> Iterator[tuple[str, str]]:
    """Where a change counts: what passed releases had, and what follows of it."""
    if not (result.pass_relative or result.warn_relative):
        return
    if result.baseline is None or result.interval is None:
        needed = 1 if objective.kind == "image" else policy.baselines.needed
        yield "baseline", f"none, {needed} passed releases are needed: the absolute bound alone decides"
        return
    unit = objective.unit
    if objective.kind == "image":
        yield "baseline", f"{words.quantity(result.baseline, unit)} in the last passed release; a size has no noise"
    else:
        yield "baseline", f"{words.quantity(result.baseline, unit)}, the mean of {result.baselines} passed releases"
        low, high = (words.quantity(end, unit) for end in result.interval)
        yield "interval", f"{low} to {high}: where one more release like them would lie (bootstrap, nominally 90 %)"
    if result.limit is not None:
        yield (
            "limit",
            f"{words.quantity(result.limit, unit)}: what {result.pass_relative} makes of the kinder end of it",
        )


def _criterion(absolute: str, relative: str, unit: str) -> str:
    shown = words.criterion(absolute, unit)
    return f"{shown} and, against passed releases, {relative}" if relative else shown


def _sum(verdict: Verdict) -> Iterator[str]:
    earned = sum(result.score for result in verdict.objectives)
    total = sum(result.weight for result in verdict.objectives)
    yield f"score: {earned:g} of {total} = {verdict.score:.6g} %"
    yield f"  from {verdict.pass_score:g} % on it is a pass, from {verdict.warn_score:g} % on a warn"
    yield "  whatever the score: what was not measured, a failed test and a failed key objective fail the verdict;"
    yield "  a flaky test or an override leaves a warn at best"

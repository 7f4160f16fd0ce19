"""Two runs' evidence → what became worse from the first to the second. Pure: no files, no clock, no cluster.

Public: `compare`. What counts as a change, and how much of it, is in compare_rules.py.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Literal

from sluice.compare_durations import durations, pace_of, sound, timed_in_both
from sluice.compare_rules import (
    IMAGE,
    MEMORY,
    NOISE_RATIO,
    NOISE_SHARE,
    OBJECTIVE_RATIO,
    OBJECTIVE_SHARE,
    Aspect,
    Change,
    Threshold,
    Way,
)
from sluice.domain import Evidence, Level, Measurement, ObjectiveResult, TestResult, Verdict

SCHEMA = "sluice.comparison/v1"

_LEVELS: Mapping[Level, int] = {"pass": 0, "warn": 1, "fail": 2}
_NOISE_POINTS = 20


@dataclass(frozen=True)
class Comparison:
    """What changed from `before` to `after`, two runs' ids.

    `pace` is how many times as long the median test took; `not_compared` says what only one of them has.
    """

    schema: str
    before: str
    after: str
    levels: tuple[Level, Level]
    scores: tuple[float, float]
    pace: float
    tests: int
    changes: tuple[Change, ...]
    not_compared: tuple[str, ...] = ()

    @property
    def worse(self) -> bool:
        """Whether anything became worse."""
        return any(change.way == "worse" for change in self.changes)

    def of(self, aspect: Aspect, *ways: Way) -> tuple[Change, ...]:
        """The changes of an aspect, those that count first."""
        wanted = ways or ("worse", "better", "told")
        return tuple(one for way in wanted for one in self.changes if (one.aspect, one.way) == (aspect, way))


@dataclass(frozen=True)
class Run:
    """A run as it is compared: evidence, verdict, and bytes of memory by workload where it measured them."""

    evidence: Evidence
    verdict: Verdict
    memory: Mapping[str, float]


def compare(before: Run, after: Run) -> Comparison:
    """Say what changed from one run to the next; suites that only one of them ran are left out, by name."""
    suites = set(before.evidence.suites) & set(after.evidence.suites)
    old, new = ({test.id: test for test in run.evidence.tests if test.suite in suites} for run in (before, after))
    both = [(old[name], new[name]) for name in old if name in new]
    timed = timed_in_both(both)
    pace = pace_of(timed)
    changes = (
        *_verdicts(before, after),
        *_tests(old, {test.id: test for test in after.evidence.tests}),
        *_come_and_gone(old, new),
        *_objectives(before, after),
        *durations(before.evidence, after.evidence, timed, pace),
        *_flaky(both),
        *_noise(before, after),
        *_sizes(before, after),
    )
    return Comparison(
        SCHEMA,
        before.evidence.run_id,
        after.evidence.run_id,
        (before.verdict.level, after.verdict.level),
        (before.verdict.score, after.verdict.score),
        pace,
        len(both),
        changes,
        tuple(_missing(before, after)),
    )


def state(test: TestResult) -> Literal["passes", "flaky", "fails", "is skipped"]:
    """What a test came to: flaky where its first try failed and a later one passed."""
    if test.outcome == "passed":
        return "passes"
    if test.outcome == "skipped":
        return "is skipped"
    return "flaky" if any(attempt.outcome == "passed" for attempt in test.attempts) else "fails"


def _verdicts(before: Run, after: Run) -> list[Change]:
    found = []
    old, new = before.verdict, after.verdict
    if old.level != new.level:
        way = _by_level(old.level, new.level)
        found.append(
            Change("failing", way, "verdict", f"{old.level} → {new.level}", "", old.score, new.score, "points")
        )
    if after.evidence.failures and not before.evidence.failures:
        found.append(Change("failing", "worse", "run", "the run failed", after.evidence.failures[0].splitlines()[0]))
    return found


def _tests(old: Mapping[str, TestResult], new: Mapping[str, TestResult]) -> list[Change]:
    """What fails now or did: a test of a suite that the first run did not have counts as well."""
    found = []
    for name, test in new.items():
        then, now = state(old[name]) if name in old else "", state(test)
        if now == "fails":
            note = {"": "fails, and is new", "fails": "fails in both"}.get(then, "fails now")
            found.append(Change("failing", "told" if then == "fails" else "worse", "test", name, note))
        elif then == "fails":
            found.append(Change("failing", "better", "test", name, f"{now} now"))
        elif now == "is skipped" and then not in ("is skipped", ""):
            found.append(Change("failing", "told", "test", name, "is skipped now"))
    return found


def _come_and_gone(old: Mapping[str, TestResult], new: Mapping[str, TestResult]) -> list[Change]:
    """Tests that are new are counted by suite; tests that are gone are named, unless their whole suite ran none."""
    found = []
    was, now = (Counter(test.suite for test in tests.values()) for tests in (old, new))
    fresh = Counter(test.suite for name, test in new.items() if name not in old)
    for suite in dict.fromkeys((*was, *fresh)):
        if not now[suite]:
            found.append(Change("failing", "worse", "suite", suite, f"none of its {was[suite]} tests ran"))
        elif fresh[suite]:
            found.append(Change("failing", "told", "suite", suite, f"new tests: {fresh[suite]}"))
    for name, test in old.items():
        if name not in new and now[test.suite]:
            found.append(
                Change("failing", "told", "test", name, "is gone, and failed" if state(test) == "fails" else "is gone")
            )
    return found


def _alike(before: Run, after: Run) -> bool:
    """Whether both ran the same suites: other tests are another load."""
    return set(before.evidence.suites) == set(after.evidence.suites)


def _objectives(before: Run, after: Run) -> list[Change]:
    old = {result.name: result for result in before.verdict.objectives}
    found = []
    for new in after.verdict.objectives:
        change = _objective(old[new.name], new) if new.name in old else None
        if change and old[new.name].level == new.level and not _alike(before, after):
            change = replace(change, way="told", note="another load: the suites differ")
        found += [change] if change else []
    return found


def _objective(old: ObjectiveResult, new: ObjectiveResult) -> Change | None:
    """An objective whose level or value moved; a lower level is worse whatever the value says."""
    before, after = (value if sound(value) else None for value in (old.value, new.value))
    moved, note = _moved(before, after, new.pass_criterion), f"{new.level} in both"
    if old.level != new.level:
        moved, note = _by_level(old.level, new.level), f"{old.level} → {new.level}"
    return (
        None if moved == "told" else Change("objectives", moved, "objective", new.name, note, before, after, new.unit)
    )


def _by_level(old: Level, new: Level) -> Way:
    return "worse" if _LEVELS[new] > _LEVELS[old] else "better"


def _moved(old: float | None, new: float | None, criterion: str) -> Way:
    operator, bound = _criterion(criterion)
    if old is None or new is None or not math.isfinite(bound):
        return "told"
    if operator.startswith(">"):
        enough = abs(new - old) > OBJECTIVE_SHARE * abs(bound) and min(old, new) < OBJECTIVE_RATIO * bound
        return "told" if not enough else "worse" if new < old else "better"
    if operator == "==":
        old, new = abs(old - bound), abs(new - bound)
    return Threshold(OBJECTIVE_RATIO, OBJECTIVE_SHARE * abs(bound)).way(old, new)


def _criterion(text: str) -> tuple[str, float]:
    """The operator and the bound; infinity for a criterion of another kind, which only its level speaks of."""
    operator, _, bound = text.partition(" ")
    try:
        return operator, float(bound)
    except ValueError:
        return operator, math.inf


def _flaky(both: Sequence[tuple[TestResult, TestResult]]) -> list[Change]:
    found = []
    for old, new in both:
        then, now = state(old), state(new)
        if now == "flaky" and then != "flaky":
            found.append(Change("noisier", "worse", "test", new.id, "failed, and passed when run again"))
        elif then == "flaky" and now == "passes":
            found.append(Change("noisier", "better", "test", new.id, "is flaky no more"))
    return found


def _noise(before: Run, after: Run) -> list[Change]:
    found = []
    bounds = {result.name: abs(_criterion(result.pass_criterion)[1]) for result in after.verdict.objectives}
    spreads = {(one.objective, one.unit): _spread(one) for one in before.evidence.measurements}
    for one in after.evidence.measurements:
        then, now = spreads.get((one.objective, one.unit)), _spread(one)
        if then is None or now is None:
            continue
        way = Threshold(NOISE_RATIO, NOISE_SHARE * bounds.get(one.objective, math.inf)).way(then, now)
        note = "spread of its series, 10th to 90th percentile"
        if way != "told":
            way = way if _alike(before, after) else "told"
            found.append(Change("noisier", way, "objective", one.objective, note, then, now, one.unit))
    return found


def _spread(measurement: Measurement) -> float | None:
    values = [value for series in measurement.series for _, value in series.points if math.isfinite(value)]
    if len(values) < _NOISE_POINTS:
        return None
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[-1] - tenths[0]


def _sizes(before: Run, after: Run) -> list[Change]:
    found = []
    images = {image.name: float(image.size_bytes) for image in before.evidence.images if image.size_bytes}
    for image in after.evidence.images:
        if image.name in images and image.size_bytes:
            way = IMAGE.way(images[image.name], image.size_bytes)
            found.append(Change("larger", way, "image", image.name, "", images[image.name], image.size_bytes, "bytes"))
    for name, now in after.memory.items():
        if name in before.memory:
            way = MEMORY.way(before.memory[name], now)
            found.append(Change("larger", way, "memory", name, "", before.memory[name], now, "bytes"))
    return [change for change in found if change.way != "told"]


def _missing(before: Run, after: Run) -> list[str]:
    """What only one of the runs has, in words."""
    told = []
    for here, other in ((before, after), (after, before)):
        run = here.evidence.run_id
        for what, mine, theirs in (
            ("the suite", set(here.evidence.suites), set(other.evidence.suites)),
            ("the objective", _names(here), _names(other)),
            ("the image", {one.name for one in here.evidence.images}, {one.name for one in other.evidence.images}),
        ):
            told += [f"{what} {name}: only in {run}" for name in sorted(mine - theirs)]
        if here.memory and not other.memory:
            told.append(f"memory: only in {run}")
    return told


def _names(run: Run) -> set[str]:
    return {result.name for result in run.verdict.objectives}

"""How long two runs' tests, suites and steps took, apart from how busy the machine was."""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from sluice.compare_rules import CHANCE, PACE_LIMIT, STEP, SUITE, TEST, Change, chance
from sluice.domain import Evidence, TestResult

Pair = tuple[TestResult, TestResult]

# Of a test that is over in no time the ratio is chance.
_PACED_SECONDS, _PACED_TESTS = 0.05, 20


def sound(value: float | None) -> bool:
    """Whether a number is there and is one."""
    return value is not None and math.isfinite(value)


def timed_in_both(both: Iterable[Pair]) -> list[Pair]:
    """The tests that passed in both runs: how long a failed one took says nothing."""
    return [pair for pair in both if all(test.outcome == "passed" and sound(test.seconds) for test in pair)]


def pace_of(timed: Sequence[Pair]) -> float:
    """How many times as long the median test took; 1 where there are too few to tell."""
    ratios = [new.seconds / old.seconds for old, new in timed if old.seconds >= _PACED_SECONDS]
    return median(ratios) if len(ratios) >= _PACED_TESTS else 1.0


def durations(before: Evidence, after: Evidence, timed: Sequence[Pair], pace: float) -> list[Change]:
    """What got slower or faster beyond the pace of the run: suites and tests; and steps, as they are."""
    found = []
    if pace > PACE_LIMIT:
        note = f"the median of {len(timed)} tests; was the machine busy?"
        found.append(Change("slower", "worse", "run", "everything", note, 1.0, pace, "times as long"))
    # A run that was quicker in all is no reason to call the rest slow.
    beyond = max(1.0, pace)
    for suite in dict.fromkeys(new.suite for _, new in timed):
        found += _suite(suite, [(old.seconds, new.seconds) for old, new in timed if new.suite == suite], beyond)
    for old, new in timed:
        if TEST.way(old.seconds, new.seconds, pace=beyond) != "told":
            found.append(Change("slower", "told", "test", new.id, "", old.seconds, new.seconds, "seconds"))
    steps = {step.name: step.seconds for step in before.steps if step.outcome == "done" and sound(step.seconds)}
    for step in after.steps:
        then = steps.get(step.name, math.nan)
        if step.outcome == "done" and sound(step.seconds) and STEP.way(then, step.seconds) != "told":
            found.append(Change("slower", "told", "step", step.name, "", then, step.seconds, "seconds"))
    return found


def _suite(name: str, timed: Sequence[tuple[float, float]], pace: float) -> list[Change]:
    before, after = (sum(pair[side] for pair in timed) for side in (0, 1))
    way = SUITE.way(before, after, pace=pace)
    if way == "told":
        return []
    # Each test beyond the pace of the run that is the slower one.
    ratios = [new / old / pace if way == "worse" else old / new / pace for old, new in timed if old > 0 and new > 0]
    more, of = sum(ratio > 1 for ratio in ratios), sum(ratio != 1 for ratio in ratios)
    note = f"{more} of its {of} tests {'slower' if way == 'worse' else 'faster'}"
    if chance(more, of) >= CHANCE:
        way, note = "told", f"{note}: may be chance"
    return [Change("slower", way, "suite", name, note, before, after, "seconds")]

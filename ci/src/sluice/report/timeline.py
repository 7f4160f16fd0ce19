"""The run's steps and suites as bars side by side over time; the page draws them, a row each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sluice.domain import StepTiming
from sluice.report import scales, words
from sluice.report.marks import Marks

_SHORT = 0.01  # of the run: what took less is in the table of timings
SUITES_STEP = "run suites"


@dataclass(frozen=True)
class Row:
    """A bar: from `left` percent on, `width` percent wide."""

    kind: Literal["step", "suite"]
    name: str
    outcome: str
    began: str
    took: str
    left: float
    width: float


@dataclass(frozen=True)
class Timeline:
    """Rows in the order of their starts, the axis above them as percent and words, and all of it in a sentence."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    told: str
    short: int


def timeline(steps: Sequence[StepTiming], marks: Marks, *, ended: float) -> Timeline | None:
    """Each step from its start to its end, below the suites' step each suite; None without steps.

    The axis counts seconds from the run's start; a step that began earlier widens it. Steps that took next to no time
    are left out and counted in `short`, unless they failed.
    """
    timed = [step for step in steps if math.isfinite(step.started) and math.isfinite(step.seconds)]
    if not timed or not math.isfinite(marks.origin):
        return None
    timed.sort(key=lambda step: (step.started, step.name))
    start = min(marks.origin, *(step.started for step in timed))
    end = max(ended if math.isfinite(ended) else marks.origin, *(step.started + step.seconds for step in timed))
    span = max(end - start, 0.001)

    def row(kind: Literal["step", "suite"], name: str, outcome: str, began: float, seconds: float) -> Row:
        left = min(max(100 * (began - start) / span, 0.0), 99.7)
        width = min(max(100 * seconds / span, 0.3), 100 - left)
        return Row(kind, name, outcome, words.clock(began - marks.origin), words.duration(seconds), left, width)

    bad = {test.suite for test in marks.failed}
    rows = []
    for step in timed:
        if step.outcome == "done" and step.seconds < _SHORT * span:
            continue
        rows.append(row("step", step.name, step.outcome, step.started, step.seconds))
        if step.name == SUITES_STEP:
            rows += [
                row("suite", one.suite, "failed" if one.suite in bad else "passed", one.start, one.end - one.start)
                for one in marks.windows
            ]
    longest = max(timed, key=lambda step: step.seconds)
    told = (
        f"{len(timed)} steps in {words.duration(end - start)}; the longest is {longest.name} with "
        f"{words.duration(longest.seconds)}."
    )
    ticks = [
        (100 * (at + marks.origin - start) / span, words.clock(at))
        for at in scales.time_ticks(start - marks.origin, end - marks.origin)
    ]
    return Timeline(tuple(rows), tuple(ticks), told, len(timed) - sum(one.kind == "step" for one in rows))

"""What counts as a change between two runs: the thresholds, in numbers and in words (`RULES`), and a change itself.

Two healthy runs are never alike: a test takes twice as long because the machine was busy. What counts is therefore a
ratio and an amount together, and for durations the ratio is taken beyond the pace of the whole run, which is the median
of all tests that passed in both. docs/compare.md tells how the numbers were chosen.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Aspect = Literal["failing", "objectives", "slower", "noisier", "larger"]
Way = Literal["worse", "better", "told"]
ASPECTS: tuple[Aspect, ...] = ("failing", "objectives", "slower", "noisier", "larger")


@dataclass(frozen=True)
class Threshold:
    """A change is one from `ratio` times the first value and `amount` more on."""

    ratio: float
    amount: float

    def way(self, before: float, after: float, *, pace: float = 1.0) -> Way:
        """Whether a value that is better when small became worse or better, or neither (`told`).

        `pace` is by how much everything of its kind grew.
        """
        grown, shrunk = after / pace, before * pace
        if grown > before * self.ratio and after - before > self.amount:
            return "worse"
        return "better" if shrunk > after * self.ratio and before - after > self.amount else "told"


TEST = Threshold(1.5, 2.0)
SUITE = Threshold(1.25, 10.0)
STEP = Threshold(2.0, 30.0)
IMAGE = Threshold(1.01, 1e6)
MEMORY = Threshold(1.25, 64e6)
PACE_LIMIT = 2.0  # times as long
CHANCE = 0.001  # that a suite's tests are slower by chance
OBJECTIVE_RATIO, OBJECTIVE_SHARE = 1.5, 0.2  # the share is of the criterion
NOISE_RATIO, NOISE_SHARE = 2.0, 0.5

RULES: Mapping[Aspect, str] = {
    "failing": "a test fails that passed, was skipped or was not there before; a suite that ran no test; a lower level "
    "of the verdict; a run that failed itself and did not before",
    "objectives": f"a lower level; or, where both ran the same suites, a value that moved by more than "
    f"{100 * OBJECTIVE_SHARE:.0f} % of its criterion and is more than {OBJECTIVE_RATIO:g} times what it was or, where "
    "more is better, less than that many times its criterion",
    "slower": f"a suite whose tests took more than {SUITE.ratio:g} times as long together and {SUITE.amount:g} s more, "
    f"so many of them slower that chance does it in less than {100 * CHANCE:g} % (sign test), all beyond the pace of "
    f"the whole run; or that pace, the median test, more than {PACE_LIMIT:g} times as long. Told and not counted, for "
    f"once measured is chance: single tests from {TEST.ratio:g} times and {TEST.amount:g} s on, steps of the pipeline "
    f"from {STEP.ratio:g} times and {STEP.amount:g} s on",
    "noisier": "a test is flaky that was not; where both ran the same suites, an objective's series, from its 10th "
    f"to its 90th percentile, spread more than {NOISE_RATIO:g} times as far, by more than {100 * NOISE_SHARE:.0f} % of "
    "its criterion",
    "larger": f"an image grew by more than {100 * (IMAGE.ratio - 1):.0f} % and {IMAGE.amount / 1e6:g} MB; a workload's "
    f"memory by more than {100 * (MEMORY.ratio - 1):.0f} % and {MEMORY.amount / 1e6:g} MB, where both runs measured it",
}


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was. `kind` says what `name` is: a test, a suite, a step, an image …"""

    aspect: Aspect
    way: Way
    kind: str
    name: str
    note: str = ""
    before: float | None = None
    after: float | None = None
    unit: str = ""


def chance(more: int, of: int) -> float:
    """How probable it is that at least `more` of `of` are above the middle where nothing is: the sign test, one-sided.

    W. J. Dixon, A. M. Mood: The Statistical Sign Test. Journal of the American Statistical Association 41 (1946).
    """
    return sum(math.comb(of, count) for count in range(more, of + 1)) / float(2**of)

"""A value against those of passed releases: not by a bare percentage, but by what their noise allows.

Each passed release gives one value an objective; what lies within one run depends on itself and is no sample of
releases. Of these values comes a bootstrap prediction interval: where the value of one more release like them would
be (nominally 90 %; of five releases less, as of any bootstrap of so few: bench/gate_interval.py counts it). A criterion
such as `<= +10 %` is held against the end of the interval that is kinder to the value.

Sources: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 13; A. C. Davison,
D. V. Hinkley, Bootstrap Methods and their Application (1997), section 6.3.3 (prediction, with residuals scaled to
the spread that they estimate). docs/decisions/0011 has the alternatives and how often it errs.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.domain import Baseline
from sluice.gate.readings import UnmeasuredError, Value, the_one, values_of, worst_of
from sluice.policy import Objective

_RESAMPLES = 4000
_OUTSIDE = 0.05  # on either side
_SEED = 20_261_125  # any number; the same one for ever, so that a verdict can be recomputed


@dataclass(frozen=True)
class Basis:
    """What passed releases had, in the objective's unit: their mean, and where one more like them would lie."""

    value: float
    low: float
    high: float
    releases: int


def basis_of(objective: Objective, value: Value, baselines: Sequence[Baseline], *, needed: int) -> Basis | None:
    """What to compare a value with; None where too few passed releases measured the same thing.

    An image's size has no noise: it is compared with that of the last release, by the image's name. Of everything
    else `needed` releases must be there, and the worst series of each counts.
    """
    ordered = sorted(baselines, key=lambda one: (one.at, one.run_id))
    earlier = [values for one in ordered if (values := _comparable(objective, one))]
    if objective.kind == "image":
        same = [one.number for one in (earlier[-1] if earlier else ()) if one.name == value.name]
        return Basis(same[0], same[0], same[0], 1) if len(same) == 1 else None
    if len(earlier) < needed:
        return None
    numbers = [worst_of(objective, values).number for values in earlier]
    return Basis(math.fsum(numbers) / len(numbers), *prediction_interval(numbers), len(numbers))


def comparable(objective: Objective, baselines: Sequence[Baseline]) -> int:
    """How many of the passed releases measured what the policy asks for now."""
    return sum(bool(_comparable(objective, one)) for one in baselines)


def _comparable(objective: Objective, baseline: Baseline) -> tuple[Value, ...]:
    """A release's values; none where it measured nothing, something else, or too few samples."""
    try:
        values = values_of(objective, baseline.measurements)
        enough = the_one(objective, baseline.measurements).samples >= objective.min_samples
    except UnmeasuredError:
        return ()
    return values if enough else ()


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """Where one more value of the same kind would lie, nominally 90 times of 100; in the values' unit. Needs two.

    Each resample draws a mean (of as many values, with replacement) and one deviation from the mean, and adds them:
    mean and spread are both uncertain. The deviations are scaled by sqrt(n / (n - 1)), since those from their own
    mean are too small. Bit for bit the same anywhere: random() of the Mersenne Twister is promised not to change
    (https://docs.python.org/3/library/random.html#notes-on-reproducibility), and sums are exact before rounding.
    """
    count = len(values)
    ordered = sorted(values)  # the order in which releases came must not matter
    centre = math.fsum(ordered) / count
    scale = math.sqrt(count / (count - 1))
    deviations = [scale * (value - centre) for value in ordered]
    draw = random.Random(_SEED).random
    drawn = sorted(
        math.fsum(ordered[int(draw() * count)] for _ in range(count)) / count + deviations[int(draw() * count)]
        for _ in range(_RESAMPLES)
    )
    outside = int(_RESAMPLES * _OUTSIDE)
    return drawn[outside], drawn[-outside - 1]

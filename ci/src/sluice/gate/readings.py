"""The value of an objective, out of the evidence of this run or the record of an earlier one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.domain import Measurement
from sluice.policy import Objective


class UnmeasuredError(Exception):
    """Raised with the reason, in numbers, why an objective has no value to judge."""


@dataclass(frozen=True)
class Value:
    """One number, and whose it is: a series' labels, an image; empty where that is not known."""

    number: float
    name: str = ""


def values_of(objective: Objective, measurements: Sequence[Measurement]) -> tuple[Value, ...]:
    """Every value that was measured of an objective, in the objective's unit.

    Raises UnmeasuredError for none or several measurements, one that failed, one of another query, kind, unit or
    window, one without series, and NaN or infinity.
    """
    measurement = the_one(objective, measurements)
    if measurement.error:
        raise UnmeasuredError(f"the query failed: {measurement.error}")
    if (measurement.kind, measurement.unit) != (objective.kind, objective.unit):
        expected = f"the policy asks for {objective.kind} in {objective.unit!r}"
        raise UnmeasuredError(f"measured as {measurement.kind} in {measurement.unit!r}, {expected}")
    if not objective.asks(measurement.query):
        seen = " ".join(measurement.query.split())[:200]
        raise UnmeasuredError(f"measured by another query than the policy's: {seen}")
    if not (math.isfinite(measurement.window_seconds) and measurement.window_seconds > 0):
        raise UnmeasuredError(f"measured over {measurement.window_seconds:g} s, expected a window above 0 s")
    if not measurement.values:
        raise UnmeasuredError("0 series, expected at least 1")
    unfit = [value for value in measurement.values if not math.isfinite(value)]
    if unfit:
        count = f"{len(unfit)} of {len(measurement.values)}"
        raise UnmeasuredError(f"{count} series have no finite value, the first is {unfit[0]}")
    if measurement.names and len(measurement.names) != len(measurement.values):
        raise UnmeasuredError(f"{len(measurement.values)} values with {len(measurement.names)} names")
    _refuse_missing_slos(objective, measurement)
    names = measurement.names or ("",) * len(measurement.values)
    # -0.0 becomes 0.0, whatever the series' order.
    return tuple(Value(value + 0.0, name) for value, name in zip(measurement.values, names, strict=True))


def worst_of(objective: Objective, values: Sequence[Value]) -> Value:
    """The value that is furthest from passing; of several, the first by name, so that their order does not matter."""
    worst = objective.pass_criterion.worst([value.number for value in values])
    return min((value for value in values if value.number == worst), key=lambda value: value.name)


def the_one(objective: Objective, measurements: Sequence[Measurement]) -> Measurement:
    """The objective's measurement. Raises UnmeasuredError unless there is exactly one."""
    found = [measurement for measurement in measurements if measurement.objective == objective.name]
    if len(found) != 1:
        raise UnmeasuredError(f"{len(found)} measurements, expected 1")
    return found[0]


def _refuse_missing_slos(objective: Objective, measurement: Measurement) -> None:
    """Raise UnmeasuredError where a service level objective that the policy names is in no series."""
    told = {label for name in measurement.names for label in name.split()}
    missing = [slo for slo in objective.slos if f"slo={slo}" not in told]
    if missing:
        raise UnmeasuredError(f"no series of the service level objectives {', '.join(missing)}")

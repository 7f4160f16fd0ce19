"""What series say of a stretch of time: alerts as they came and went, restarts, and budgets that burned."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from sluice.domain import Series
from sluice.incident.model import Happening
from sluice.incident.window import Window
from sluice.slo.rules import BURNS
from sluice.steps.bundle import moment
from sluice.steps.moved import spans

# The rate at which a budget of 30 days loses 2 % in an hour: what somebody is woken for (docs/slo.md).
FASTEST = float(BURNS[0].factor)
_OWN = ("__name__", "alertname", "alertstate", "severity")
_NO_ROUTE = ("prometheus", "endpoint", "instance", "job", "container", "uid", "team")

Reasons = Mapping[tuple[str, ...], Sequence[tuple[float, str]]]


def alert_happenings(series: Sequence[Series], when: Window, step: float) -> list[Happening]:
    """When each alert fired, since when it had been pending, and when it was over; `series` are those of ALERTS.

    They have a point every `step` seconds: one that is there at the first may be older, one at the last may go on, and
    both are said. What was pending and never fired is told once for each alert, with how many there were.
    """
    found: list[Happening] = []
    waited: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    idle: dict[str, list[tuple[float, float, str]]] = {}
    for one in series:
        if one.labels.get("alertstate") != "firing":
            waited[_whose(one)] = spans(one.points, step)
    for one in series:
        if one.labels.get("alertstate") != "firing":
            continue
        kind, where = _kind(one), labels_told(one.labels)
        pending = waited.get(_whose(one), [])
        for begun, over in spans(one.points, step):
            before = next((span for span in pending if 0 < begun - span[1] <= 2 * step), None)
            if before:
                pending.remove(before)
            told = "fires, since before this time" if begun <= when.start else "fires"
            goes_on = over > when.end - step
            more = f"pending since {moment(before[0])}" if before else ""
            found.append(Happening(begun, "alert", f"{kind} {told}", where, None if goes_on else over, more))
            if not goes_on:
                found.append(Happening(over, "alert", f"{kind} is over", where))
    for one in series:
        if one.labels.get("alertstate") != "firing":
            left = waited[_whose(one)]
            idle.setdefault(_kind(one), []).extend((*span, labels_told(one.labels)) for span in left)
    return found + [_never_fired(kind, left) for kind, left in idle.items() if left]


def _never_fired(kind: str, left: Sequence[tuple[float, float, str]]) -> Happening:
    """An alert's times of waiting that came to nothing, as one."""
    whose = sorted({where for *_, where in left})
    times = f", {len(left)} times in all," if len(left) > 1 else ""
    told = f"{kind} is pending{times} and does not fire"
    end = max(over for _, over, _ in left)
    return Happening(min(begun for begun, *_ in left), "alert", told, whose[0], end, "; ".join(whose[1:]))


def _kind(one: Series) -> str:
    name, severity = one.labels.get("alertname", "?"), one.labels.get("severity", "")
    return f"{name} ({severity})" if severity else name


def _whose(one: Series) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in sorted(one.labels.items()) if key != "alertstate")


def labels_told(labels: Mapping[str, str]) -> str:
    """The labels that say whose an alert is."""
    told = {key: value for key, value in labels.items() if key not in (*_OWN, *_NO_ROUTE)}
    return ", ".join(f"{key}={value}" for key, value in sorted(told.items()))


def restart_happenings(counts: Sequence[Series], reasons: Sequence[Series], when: Window) -> list[Happening]:
    """Each rise of a container's count of restarts, at the first point that has it, with how it ended before that.

    `reasons` have the label `reason` while that is the last one. A series that begins within the time with restarts
    already counted is of a container that was started again before it was first scraped.
    """
    known = _reasons(reasons)
    found = []
    for one in counts:
        points = [(at, value) for at, value in one.points if math.isfinite(value)]
        if points and points[0][0] > when.start:
            points.insert(0, (points[0][0], 0.0))
        for (_, before), (at, after) in pairwise(points):
            if after > before:
                key = tuple(one.labels.get(name, "") for name in ("namespace", "pod", "container"))
                reason = next((told for since, told in known.get(key, ()) if since >= at), "")
                times = f", {after - before:g} times" if after - before > 1 else ""
                found.append(Happening(at, "restart", f"started again{times}", "/".join(key), None, reason))
    return found


def _reasons(series: Sequence[Series]) -> Reasons:
    """By container: at each time the reason why it ended last, in the order of time."""
    found: dict[tuple[str, ...], list[tuple[float, str]]] = {}
    for one in series:
        key = tuple(one.labels.get(name, "") for name in ("namespace", "pod", "container"))
        known = found.setdefault(key, [])
        known += [(at, one.labels.get("reason", "")) for at, value in one.points if value > 0]
        known.sort()
    return found


def burn_happenings(series: Sequence[Series], when: Window, step: float) -> Iterator[Happening]:
    """When budgets burned fast: `series` have the burn rates of five minutes above FASTEST, by service and slo."""
    for one in series:
        points = [(at, value) for at, value in one.points if math.isfinite(value)]
        where = f"{one.labels.get('service', '?')} {one.labels.get('slo', '?')}"
        for begun, over in spans(points, step):
            highest = max(value for at, value in points if begun <= at <= over)
            told = f"its error budget burns at up to {highest:.3g} times what is allowed"
            goes_on = over > when.end - step
            more = "goes on at the end" if goes_on else f"until {moment(over)}"
            yield Happening(begun, "slo", told, where, None if goes_on else over, more)

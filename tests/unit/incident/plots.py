"""Series as Prometheus gives them of an incident, by hand."""

from sluice.domain import Series
from sluice.incident.model import Happening
from sluice.incident.window import Window

WHEN = Window(1000.0, 2000.0)
STEP = 15.0


def seen(start: float, end: float, value: float = 1.0) -> tuple[tuple[float, float], ...]:
    return tuple((start + STEP * number, value) for number in range(int((end - start) / STEP) + 1))


def alert(state: str, *points: tuple[float, float], **labels: str) -> Series:
    told = {"__name__": "ALERTS", "alertname": "Down", "alertstate": state, "severity": "critical"}
    return Series(told | {"namespace": "default", "service": "backend", "pod": "b-1"} | labels, points)


def told(found: list[Happening]) -> list[tuple[float, str, float | None]]:
    return [(one.at, one.what, one.until) for one in sorted(found, key=lambda one: one.at)]


def restarts(*points: tuple[float, float]) -> Series:
    return Series({"namespace": "default", "pod": "b-1", "container": "backend"}, points)


def why(reason: str, *points: tuple[float, float]) -> Series:
    return Series({"namespace": "default", "pod": "b-1", "container": "backend", "reason": reason}, points)

"""The example events that a slo.yaml gives, drawn as series for promtool.

An SLO's annotations name the series that a good event and a bad one move, a line each, so that the generated tests go
from the services' own metrics through the queries to the alerts:

    sluice/example-good: http_requests_total{status="200"} +1
    sluice/example-bad: http_requests_total{status="500"} +1
    sluice/example-ignored: http_requests_total{route="/readyz",status="503"} +1

`+1` is a counter's step per event. A number is a gauge's value, `now` the time in seconds: then an event is one look at
it. What is ignored happens all the time and must not count.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Literal

GOOD, BAD, IGNORED = (f"sluice/example-{word}" for word in ("good", "bad", "ignored"))
KEYS = (GOOD, BAD, IGNORED)
NOW = "now"
NAMESPACE = "default"
_IGNORED_PER_MINUTE = 1000
_LINE = re.compile(r'([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="[^"]*",?)*)\})?\s+(\+?-?\d+(?:\.\d+)?|now)')


@dataclass(frozen=True)
class Phase:
    """A stretch of a test: how many events there are in a minute, and which share of them is bad."""

    minutes: int
    events: int
    bad: Decimal


@dataclass(frozen=True)
class Series:
    """One series and what it does with an event: a counter's steps, or a gauge's values."""

    name: str
    kind: Literal["counter", "gauge"]
    good: str = ""
    bad: str = ""
    ignored: str = ""

    def moves(self, phases: tuple[Phase, ...]) -> bool:
        """Whether it is there in a test at all: a counter is born with its first event."""
        good = self.good and any(one.events and one.bad < 1 for one in phases)
        bad = self.bad and any(one.events and one.bad for one in phases)
        return self.kind == "gauge" or bool(self.ignored or good or bad)

    def values(self, phases: tuple[Phase, ...]) -> str:
        """The series in promtool's notation, a sample a minute, beginning with one before the first phase."""
        drawn = _counted(self, phases) if self.kind == "counter" else _looked_at(self, phases)
        return " ".join(drawn)


def parse(annotations: Mapping[str, str], service: str) -> tuple[list[Series], list[tuple[str, str]]]:
    """Return the series of an SLO's examples, and the mistakes: the annotation and what is wrong with it."""
    mistakes = [(key, "no such annotation: there are " + ", ".join(KEYS)) for key in annotations if key not in KEYS]
    mistakes += [("", f"{key} is missing") for key in (GOOD, BAD) if not annotations.get(key, "").strip()]
    found: dict[str, dict[str, str]] = {}
    for key in KEYS:
        for line in filter(None, map(str.strip, annotations.get(key, "").splitlines())):
            match = _LINE.fullmatch(line)
            if not match:
                mistakes.append((key, f'a series and +1, a number or now is expected, seen "{line}"'))
                continue
            labels = ",".join(filter(None, [f'namespace="{NAMESPACE}",service="{service}"', match[2]]))
            found.setdefault(f"{match[1]}{{{labels}}}", {})[key] = match[3]
    series = []
    for name, values in found.items():
        counters = {value.startswith("+") for value in values.values()}
        if len(counters) > 1:
            mistakes.append((next(iter(values)), f"{name} is a counter in one line and a gauge in another"))
        elif counters == {False} and set(values) != {GOOD, BAD}:
            mistakes.append(
                (next(iter(values)), f"{name} is a gauge: it has a value in good and in bad, and in no other")
            )
        else:
            kind: Literal["counter", "gauge"] = "counter" if counters == {True} else "gauge"
            series.append(Series(name, kind, values.get(GOOD, ""), values.get(BAD, ""), values.get(IGNORED, "")))
    return series, mistakes


def _counted(series: Series, phases: tuple[Phase, ...]) -> Iterator[str]:
    good, bad, ignored = (Decimal(value or 0) for value in (series.good, series.bad, series.ignored))
    total = Decimal(0)
    yield "0"
    for phase in phases:
        step = phase.events * ((1 - phase.bad) * good + phase.bad * bad) + _IGNORED_PER_MINUTE * ignored
        yield f"{_number(total + step)}+{_number(step)}x{phase.minutes - 1}"
        total += step * phase.minutes


def _looked_at(series: Series, phases: tuple[Phase, ...]) -> Iterator[str]:
    """What is bad in a phase is spread evenly over it, by whole minutes. Without events there is nothing."""
    shown: list[str | None] = [None]
    for phase in phases:
        for minute in range(phase.minutes):
            bad = int((minute + 1) * phase.bad) > int(minute * phase.bad)
            shown.append((series.bad if bad else series.good) if phase.events else None)
    at, seen = 0, False
    for value, run in groupby(shown):
        length = len(list(run))
        if value is None:
            # Without the mark, a look within the next five minutes would still see the last value.
            yield f"stale _x{length - 1}" if seen and length > 1 else "stale" if seen else f"_x{length}"
        elif value == NOW:
            yield f"{60 * at}+60x{length - 1}"
        else:
            yield f"{value}x{length - 1}"
        at, seen = at + length, value is not None


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"

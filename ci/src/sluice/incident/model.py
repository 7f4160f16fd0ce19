"""A post-incident timeline: what happened, in order, what it cost of the error budgets, and what could not be asked."""

from dataclasses import dataclass
from typing import Literal

SCHEMA: Literal["sluice.incident/v1"] = "sluice.incident/v1"
Kind = Literal["alert", "silence", "promotion", "kubernetes", "restart", "log spike", "slo", "test", "run"]


@dataclass(frozen=True)
class Happening:
    """Something at a time, in seconds since the epoch; `until` where it lasted, and its end is known.

    `where` is whose it is (a service, an object of Kubernetes, a target), `more` the words of those who noted it.
    """

    at: float
    kind: Kind
    what: str
    where: str = ""
    until: float | None = None
    more: str = ""


@dataclass(frozen=True)
class Missing:
    """What could not be asked, or only in part, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Burnt:
    """An SLO in that time: events, how many were bad, and what was left of its budget of 30 days before and after.

    None is: not known.
    """

    service: str
    slo: str
    events: float | None
    bad: float | None
    left_before: float | None
    left_after: float | None


@dataclass(frozen=True)
class Incident:
    """What is drafted. `of` is a target or a run, `facts` stand above the timeline, `method` says how it was found."""

    schema: Literal["sluice.incident/v1"]
    of: str
    start: float
    end: float
    drafted: float
    timeline: tuple[Happening, ...] = ()
    burnt: tuple[Burnt, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    missing: tuple[Missing, ...] = ()
    method: tuple[str, ...] = ()


def in_order(found: list[Happening]) -> tuple[Happening, ...]:
    """Return what happened in the order of time; what happened at once in the order of kind and words."""
    return tuple(sorted(set(found), key=lambda one: (one.at, one.kind, one.where, one.what, one.more)))

"""A stand-in for a target's Prometheus, and the service level that is looked at by it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sluice.domain import Series
from sluice.errors import EvidenceError
from sluice.promotion.canary_queries import countable
from sluice.slo.load import load_slos
from sluice.steps.verify_target import Level

# Those of a service of the tree, under another name; its first one counts requests.
AVAILABILITY = countable(load_slos(Path(__file__).parents[3])["backend"])[:1]
BEGAN = 1_000_010.0  # when the target is asked for the first time


@dataclass
class Prometheus:
    """Implements ports.Metrics; each time that it is asked what time it is, ten seconds are over."""

    total: float | None = 1000.0
    bad: float | None = 0.0
    up: float = 1.0
    scraped: Callable[[float], float] = lambda now: now + 1
    jobs: Sequence[str] = ("api",)
    alerts: Sequence[tuple[Mapping[str, str], float]] = ()
    away: str = ""
    clock: tuple[Series, ...] | None = None
    now: float = BEGAN - 10
    asked: list[str] = field(default_factory=list)

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """The answer to each of the queries that are asked."""
        self.asked.append(query)
        if self.away and self.away in query:
            raise EvidenceError("Prometheus did not answer", seen="ConnectError")
        if query == "time()":
            self.now += 10
            return (Series({}, ((self.now, self.now),)),) if self.clock is None else self.clock
        if query.startswith("ALERTS{"):
            return tuple(self._one(1.0, {**labels, "alertstate": "firing"}) for labels, _ in self.alerts)
        if query.startswith("ALERTS_FOR_STATE{"):
            return tuple(self._one(since, labels) for labels, since in self.alerts if since)
        if query.startswith("min by (job)"):
            value = self.scraped(self.now) if "timestamp" in query else self.up
            return tuple(self._one(value, {"job": job}) for job in self.jobs)
        assert at == self.now, "all numbers of a look are of one time"
        counted = self.bad if "5.." in query else self.total
        return () if counted is None else (self._one(counted, {}),)

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """Nobody asks."""
        raise NotImplementedError

    def _one(self, value: float, labels: Mapping[str, str]) -> Series:
        return Series({"__name__": "x", **labels}, ((self.now, value),))


def level(metrics: Prometheus, said: list[str] | None = None, deadline_seconds: float = 0.0) -> Level:
    return Level(
        metrics,
        {"api": AVAILABILITY},
        "shop",
        max_burn=14.4,
        deadline_seconds=deadline_seconds,
        say=(said if said is not None else []).append,
    )

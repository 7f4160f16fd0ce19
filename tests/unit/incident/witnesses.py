"""Stand-ins for whom an incident is asked of: each answers unless it is told to break."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.unit.fakes import FakeWorkloads, ReadableLogs

from sluice.domain import Series
from sluice.errors import EvidenceError
from sluice.ports import ClusterEvent, HeldAlert, Silence
from sluice.promotion.ledger import Entry
from sluice.steps.collect_incident import Witnesses


@dataclass
class Told:
    """Implements ports.Metrics: the answer whose key stands in the query, else nothing; `broken` refuses all.

    It was there all the time, and since before.
    """

    answers: Mapping[str, tuple[Series, ...]] = field(default_factory=dict)
    broken: bool = False
    there: bool = True
    asked: list[tuple[str, float, float, float]] = field(default_factory=list)

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """What it was given for the query."""
        self.asked.append((query, start, end, step))
        if self.there and "timestamp(up)" in query:
            return (
                Series({}, tuple((start + step * n, start + step * n) for n in range(int((end - start) / step) + 1))),
            )
        return self._answer(query, end)

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """The same, by the time that is asked for where there is one of it."""
        self.asked.append((query, at or 0.0, at or 0.0, 0.0))
        return self._answer(query, at or 0.0)

    def _answer(self, query: str, at: float) -> tuple[Series, ...]:
        if self.broken:
            raise EvidenceError("Prometheus did not answer", seen="ConnectError")
        if query == "time()":
            return (Series({}, ((at, 0.0),)),)
        timed = next((found for key, found in self.answers.items() if key == f"{query} @ {at:g}"), None)
        return timed or next((found for key, found in self.answers.items() if key in query), ())


@dataclass
class Lines(ReadableLogs):
    """Implements ports.Logs: `counted` are the series of a range; `anything` is what an hour before had."""

    counted: tuple[Series, ...] = ()
    anything: float | None = 100.0
    broken: bool = False

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """What was counted."""
        self.ranges.append((query, start, end, step))
        if self.broken:
            raise EvidenceError("Loki refused", seen="500")
        return self.counted

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """Whether there was anything."""
        return () if self.anything is None else (Series({}, ((at or 0.0, self.anything),)),)


@dataclass
class Receiver:
    """Implements ports.Alerting."""

    held: tuple[HeldAlert, ...] = ()
    quiet: tuple[Silence, ...] = ()

    async def alerts(self) -> tuple[HeldAlert, ...]:
        """What it was given."""
        return self.held

    async def silences(self) -> tuple[Silence, ...]:
        """What it was given."""
        return self.quiet


def witnesses(
    *,
    metrics: Any = None,
    logs: Any = None,
    cluster: Any = None,
    alerting: Any = None,
    entries: Sequence[Entry] | Exception = (),
    kept: Callable[[Sequence[Entry]], Sequence[ClusterEvent]] = lambda _: (),
) -> Witnesses:
    """All of them, those that are not given with nothing to say."""

    async def ledger() -> Sequence[Entry]:
        if isinstance(entries, Exception):
            raise entries
        return entries

    return Witnesses(
        metrics or Told(), logs or Lines(), cluster or FakeWorkloads(), alerting or Receiver(), ledger, kept
    )

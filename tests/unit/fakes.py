"""Stand-ins for the ports; each answers from what a test gives it and remembers what it was asked."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import anyio

from sluice.domain import Series
from sluice.errors import ClusterError, EvidenceError
from sluice.ports import ClusterEvent, ContainerState, LogLine, LogTail, PodState, Rollout, Sidecar

Answer = float | list[float] | Exception


def vector(answer: Answer, at: float) -> tuple[Series, ...]:
    """A number as one series, a list as one series each, an exception raised."""
    if isinstance(answer, Exception):
        raise answer
    values = answer if isinstance(answer, list) else [answer]
    return tuple(Series({"number": str(index)}, ((at, value),)) for index, value in enumerate(values))


@dataclass
class FakeMetrics:
    """Implements ports.Metrics and, but for lines, ports.Logs: `answers` by the query's text."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, float | None]] = field(default_factory=list)
    ranges: list[tuple[str, float, float, float]] = field(default_factory=list)

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """Answer, or raise EvidenceError for a query that nobody expected."""
        self.asked.append((query, at))
        if query not in self.answers:
            raise EvidenceError(f"the fake has no answer to {query}")
        return vector(self.answers[query], at or 0.0)

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """The same value at every step."""
        self.ranges.append((query, start, end, step))
        if query not in self.answers:
            raise EvidenceError(f"the fake has no answer to {query}")
        times = [start + step * number for number in range(int((end - start) / step) + 1)]
        series = vector(self.answers[query], end)
        return tuple(Series(one.labels, tuple((time, one.points[0][1]) for time in times)) for one in series)


@dataclass
class FakeLogs(FakeMetrics):
    """Implements ports.Logs."""

    kept: tuple[LogLine, ...] = ()

    async def lines(self, query: str, *, start: float, end: float, limit: int = 1000) -> tuple[LogLine, ...]:
        """The lines of the window, whatever the query."""
        self.ranges.append((query, start, end, limit))
        return tuple(line for line in self.kept if start <= line.at < end)[:limit]


@dataclass
class KeptMetrics(FakeMetrics):
    """Implements ports.Metrics with series of their own points, those that stand in the query asked for."""

    series: Mapping[str, tuple[Series, ...]] = field(default_factory=dict)

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """The last point of each series."""
        found = await self.range(query, start=0.0, end=at or 0.0, step=1.0)
        return tuple(Series(one.labels, one.points[-1:]) for one in found)

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """The points of the window."""
        self.ranges.append((query, start, end, step))
        found = [one for name, kept in self.series.items() if name in query for one in kept]
        return tuple(
            Series(one.labels, tuple((at, value) for at, value in one.points if start <= at <= end)) for one in found
        )


@dataclass
class ReadableLogs(FakeLogs):
    """Implements ports.Logs as far as a filter's words go: lines of the level, or with one of the words, asked for."""

    async def lines(self, query: str, *, start: float, end: float, limit: int = 1000) -> tuple[LogLine, ...]:
        """The lines of the window that the query is after."""
        found = await super().lines(query, start=start, end=end, limit=100_000)
        selector, _, words = query.partition(" |~ ")
        levels = re.search(r'level=~?"([^"]*)"', selector)
        wanted = re.compile(json.loads(words)) if words else None
        return tuple(
            line
            for line in found
            if (not levels or line.labels.get("level") in levels[1].split("|"))
            and (not wanted or wanted.search(line.text))
        )[:limit]


@dataclass
class FakeWorkloads:
    """Implements ports.Workloads; `log_of` gives a container's log, `broken` refuses kinds of reads."""

    pod_list: tuple[PodState, ...] = ()
    event_list: tuple[ClusterEvent, ...] = ()
    rollout_list: tuple[Rollout, ...] = ()
    log_of: Callable[[str, str, bool], Awaitable[str]] | None = None
    broken: frozenset[str] = frozenset()
    log_reads: list[tuple[str, str, bool]] = field(default_factory=list)

    async def pods(self, namespace: str = "", *, selector: str = "") -> tuple[PodState, ...]:
        """The pods of a namespace; `selector` is not looked at."""
        self._refuse("pods")
        return tuple(pod for pod in self.pod_list if namespace in ("", pod.namespace))

    async def events(self, namespace: str = "") -> tuple[ClusterEvent, ...]:
        """The events of a namespace."""
        self._refuse("events")
        return tuple(event for event in self.event_list if namespace in ("", event.namespace))

    async def rollouts(self, namespace: str = "", *, selector: str = "") -> tuple[Rollout, ...]:
        """The workloads of a namespace."""
        self._refuse("rollouts")
        return tuple(rollout for rollout in self.rollout_list if namespace in ("", rollout.namespace))

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail_lines: int,
        max_bytes: int,
    ) -> LogTail:
        """The end of a log, cut as the real one is."""
        self._refuse("logs")
        self.log_reads.append((pod, container, previous))
        text = await self.log_of(pod, container, previous) if self.log_of else ""
        data = "".join(text.splitlines(keepends=True)[-tail_lines:]).encode()
        kept = data[-max_bytes:]
        return LogTail(kept.decode(errors="replace"), len(data) - len(kept))

    def _refuse(self, what: str) -> None:
        if what in self.broken:
            raise ClusterError(f"the API server refused {what}", seen="403: forbidden")


@dataclass
class FakeInspection(FakeWorkloads):
    """Implements ports.Inspection."""

    sidecar_list: tuple[Sidecar, ...] = ()

    async def describe(self, namespace: str, pod: str) -> str:
        """A word on a pod."""
        self._refuse("describe")
        return f"description of {namespace}/{pod}\n"

    async def sidecars(self, namespace: str) -> tuple[Sidecar, ...]:
        """Those that it was given."""
        self._refuse("sidecars")
        return self.sidecar_list


def running_pod(name: str, *, namespace: str = "default", container: str = "main") -> PodState:
    """A pod that is well."""
    state = ContainerState(name=container, init=False, ready=True, restarts=0, state="running")
    return PodState(namespace, name, "Running", ready=True, node="node", containers=(state,))


def crashing_pod(name: str, *, namespace: str = "default", container: str = "main") -> PodState:
    """A pod whose container crashes and waits to be started again."""
    state = ContainerState(
        name=container,
        init=False,
        ready=False,
        restarts=3,
        state="waiting",
        reason="CrashLoopBackOff",
        message="back-off 40s restarting failed container",
        last_exit="Error, exit code 1",
    )
    return PodState(namespace, name, "Running", ready=False, node="node", containers=(state,))


async def never(*_: object) -> str:
    """Wait until cancelled."""
    await anyio.sleep_forever()
    return ""

"""Step: put pods of a new release beside a service's own, step by step, and stop where they do worse.

It goes on only by numbers. What was not measured, and what was too little, stops it as a burn does.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from sluice.domain import Series
from sluice.errors import ClusterError, EvidenceError, NotReady, in_a_line
from sluice.ports import Metrics
from sluice.promotion.canary import (
    FEWEST_EVENTS,
    CanaryOutcome,
    Compared,
    Events,
    canary_objects,
    judge,
    pods_at,
    row_of,
    table_of,
)
from sluice.promotion.canary_queries import Countable, pods_of_canary, pods_of_stable
from sluice.promotion.model import Canary

_LOOK_SECONDS = 10.0
_ANSWER_SECONDS = 60.0  # for all that one look asks
_BLIND_LOOKS = 3  # in a row without an answer: of a Prometheus that is started again one or two are missed
_REMOVAL_SECONDS = 120.0


class CanaryCluster(Protocol):
    """Knows a service's canary in one namespace; every method raises ClusterError when that is refused."""

    async def stable_pods(self, service: str) -> int:
        """How many pods of the service's own Deployment are available; 0 where there is none."""
        ...

    async def apply(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Put objects there as they are given."""
        ...

    async def wait_ready(self, service: str, *, replicas: int, deadline_seconds: float) -> None:
        """Return once so many canary pods are available. Raises NotReady, at once where that is hopeless."""
        ...

    async def trouble(self, service: str) -> str:
        """Why a canary pod is not well, with its last words; empty where all are."""
        ...

    async def remove(self, service: str, *, deadline_seconds: float) -> None:
        """Take everything of a canary away; return once no pod of it is sent requests. Raises NotReady."""
        ...


class _Stopped(Exception):
    """A reason to stop."""


@dataclass
class _Trial:
    """A canary under way."""

    service: str
    deployment: Mapping[str, Any]
    config: Sequence[Mapping[str, Any]]
    plan: Canary
    objectives: Sequence[Countable]
    cluster: CanaryCluster
    metrics: Metrics
    namespace: str
    deadline_seconds: float
    poll_seconds: float
    fewest_events: int
    say: Callable[[str], None]
    step: int = 0
    rows: list[tuple[str, ...]] = field(default_factory=list)
    unjudged: tuple[str, ...] = ()  # of the last step

    async def run(self) -> None:
        """Return when every step went well. Raises _Stopped."""
        if not self.objectives:
            raise _Stopped(f"nothing to compare by: no SLO of {self.service} counts events by pod")
        before = 0
        for step in self.plan.steps:
            self.step = step
            stable = await self.cluster.stable_pods(self.service)
            if not stable:
                raise _Stopped(f"nothing to compare with: {self.service} has no available pod")
            replicas = pods_at(self.step, stable)
            if replicas == before:
                self.rows.append((f"{self.step} %", f"{replicas} + {stable}", *("",) * 5, "as the step before"))
                continue
            before = replicas
            await self._one_step(replicas, stable)

    async def _one_step(self, replicas: int, stable: int) -> None:
        pods = f"{replicas} + {stable}"
        self.say(f"{self.service}: canary at {self.step} %: {replicas} pod{'s' * (replicas > 1)} beside {stable}")
        made = canary_objects(self.service, self.deployment, self.config, namespace=self.namespace, replicas=replicas)
        await self.cluster.apply(made)
        await self.cluster.wait_ready(self.service, replicas=replicas, deadline_seconds=self.deadline_seconds)
        longest = self.plan.seconds + self.deadline_seconds
        cause = "no look came to its end"
        # Prometheus' clock says how long a step took, so that no skew between it and this host's can matter; should it
        # stand still, this host's ends the step.
        with anyio.move_on_after(longest + _ANSWER_SECONDS):
            looks = _Looks(self, replicas / (replicas + stable), pods)
            while True:
                cause = await looks.look()
                if not cause:
                    return
                if looks.elapsed >= longest:
                    break
                await anyio.sleep(self.poll_seconds)
        looks.note(cause.partition(":")[0])
        raise _Stopped(cause)


@dataclass
class _Looks:
    """The looks of one step."""

    trial: _Trial
    share: float
    pods: str
    started: float | None = None
    elapsed: float = 0.0
    blind: int = 0
    compared: tuple[Compared, ...] = ()

    async def look(self) -> str:
        """Return why the step is not over yet; empty where it went well. Raises _Stopped where it went badly."""
        plan, cause = self.trial.plan, f"no answer within {_ANSWER_SECONDS:.0f} s"
        try:
            with anyio.move_on_after(_ANSWER_SECONDS) as limit:
                if words := await self.trial.cluster.trouble(self.trial.service):
                    raise self._stop(f"a canary pod is not well: {words}")
                await self._measure()
            self.blind = self.blind + 1 if limit.cancelled_caught else 0
        except (ClusterError, EvidenceError) as error:  # both come and go
            self.blind, cause = self.blind + 1, in_a_line(error)
        if self.blind:
            if self.blind >= _BLIND_LOOKS:
                raise self._stop(f"the canary cannot be looked at: {cause}")
            return cause
        ended = self.elapsed >= plan.seconds
        found = judge(
            self.compared,
            share=self.share,
            max_burn=plan.max_burn,
            ended=ended,
            fewest=self.trial.fewest_events,
        )
        if found.worse:
            raise self._stop("; ".join(found.worse))
        if not ended:
            return f"{self.elapsed:.0f} of {plan.seconds:.0f} s"
        if found.few:
            return f"too little traffic to judge: {'; '.join(found.few)}"
        self.note("went on")
        self.trial.unjudged = found.unjudged
        return ""

    def note(self, found: str) -> None:
        """Keep the numbers of the last look for the evidence."""
        trial = self.trial
        for one in self.compared:
            enough = one.canary.total >= trial.fewest_events
            trial.rows.append(row_of(trial.step, self.pods, one, found if enough else f"{found}; few events"))
        if not self.compared:
            trial.rows.append((f"{trial.step} %", self.pods, *("",) * 5, found))
        trial.say(f"{trial.service}: canary at {trial.step} %: {found}")

    async def _measure(self) -> None:
        now = _number(await self.trial.metrics.instant("time()"), "time()")
        if now is None:
            raise EvidenceError("Prometheus does not say what time it is", seen="an empty answer", expected="a number")
        if self.started is None:
            self.started = now
        self.elapsed = now - self.started
        if not self.elapsed:
            self.compared = ()
            return
        trial, compared = self.trial, []
        for one in trial.objectives:
            canary = await self._count(one, pods_of_canary(trial.service), now)
            stable = await self._count(one, pods_of_stable(trial.service), now)
            compared.append(Compared(one.name, one.budget, canary, stable))
        self.compared = tuple(compared)

    async def _count(self, one: Countable, pods: str, now: float) -> Events:
        side, total = one.queries(namespace=self.trial.namespace, pods=pods, seconds=self.elapsed)
        counted = _number(await self.trial.metrics.instant(total, at=now), total)
        if counted is None:  # no series: no pod of them has had an event, or none was scraped
            return Events(0.0, 0.0)
        return Events(one.bad_of(_number(await self.trial.metrics.instant(side, at=now), side), counted), counted)

    def _stop(self, reason: str) -> _Stopped:
        self.note("stopped")
        return _Stopped(reason)


async def canary(
    service: str,
    deployment: Mapping[str, Any],
    plan: Canary,
    *,
    objectives: Sequence[Countable],
    cluster: CanaryCluster,
    metrics: Metrics,
    namespace: str,
    deadline_seconds: float,
    say: Callable[[str], None],
    config: Sequence[Mapping[str, Any]] = (),
    poll_seconds: float = _LOOK_SECONDS,
    fewest_events: int = FEWEST_EVENTS,
) -> CanaryOutcome:
    """Return whether a canary of a service went on, and by which numbers; where it did not, it is gone.

    `deployment` and `config`, the ConfigMaps, are what the chart renders for the new release; `objectives` are
    `countable` ones of its slo.yaml. A step has `deadline_seconds` for its pods to be ready, and as long again beyond
    `plan.seconds` for enough events to judge by. A canary that went on stays, and carries its share, until `remove`:
    once the stable pods are of its release. Raises ChartError for a Deployment that no canary can be made of, and
    ClusterError or NotReady where what an earlier run left cannot be taken away; none is put there then.
    """
    canary_objects(service, deployment, config, namespace=namespace, replicas=1)
    await cluster.remove(service, deadline_seconds=_REMOVAL_SECONDS)  # of a run that was killed
    trial = _Trial(
        service, deployment, config, plan, objectives, cluster, metrics, namespace, deadline_seconds, poll_seconds,
        fewest_events, say,
    )  # fmt: skip
    try:
        await trial.run()
    except (_Stopped, ClusterError, NotReady) as error:
        reason = str(error) if isinstance(error, _Stopped) else in_a_line(error)
        say(f"{service}: canary stopped at {trial.step} %: {reason}")
        left = await _taken_away(service, cluster)
        return CanaryOutcome(service, False, trial.step, reason, table_of(service, trial.rows), left)
    except BaseException:  # cancelled, too
        say(f"{service}: canary given up, and taken away {await _taken_away(service, cluster) or ''}".rstrip())
        raise
    told = f"; too few events to judge by: {', '.join(trial.unjudged)}" if trial.unjudged else ""
    return CanaryOutcome(service, True, trial.step, f"every step went well{told}", table_of(service, trial.rows))


async def remove(service: str, *, cluster: CanaryCluster, deadline_seconds: float = _REMOVAL_SECONDS) -> None:
    """Take a canary away that went on, once the stable pods are of its release. Raises ClusterError or NotReady."""
    await cluster.remove(service, deadline_seconds=deadline_seconds)


async def _taken_away(service: str, cluster: CanaryCluster) -> str:
    """Take a canary away, whatever else ends; returns why it is still there, or nothing."""
    with anyio.CancelScope(shield=True):
        try:
            await cluster.remove(service, deadline_seconds=_REMOVAL_SECONDS)
        except (ClusterError, NotReady) as error:
            return f"{in_a_line(error)}; next: {error.next_command}"
    return ""


def _number(series: Sequence[Series], query: str) -> float | None:
    """The one number of an answer; None of an empty one. Raises EvidenceError for several, NaN and infinity."""
    values = [one.points[-1][1] for one in series]
    if len(values) > 1 or not all(map(math.isfinite, values)):
        raise EvidenceError(
            f"Prometheus' answer to {query} cannot be judged", seen=", ".join(map(str, values)), expected="one number"
        )
    return values[0] if values else None

"""What the cluster looks like at the end of a run: one look, for the bundles of all failed tests."""

from collections.abc import Awaitable
from typing import TypeVar

from sluice.ports import ClusterEvent, Inspection, PodState, Sidecar
from sluice.steps.bundle import cause
from sluice.steps.cluster_text import well

T = TypeVar("T")

_DESCRIBED = 8


class ClusterNow:
    """Pods, those described that are not well, events and sidecars; `missing` says what was refused, and why."""

    def __init__(self, cluster: Inspection | None, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self.pods: tuple[PodState, ...] = ()
        self.events: tuple[ClusterEvent, ...] = ()
        self.sidecars: tuple[Sidecar, ...] = ()
        self.described: dict[str, str] = {}
        self.missing: dict[str, str] = {}

    async def look(self) -> None:
        """Ask for everything; raises nothing but cancellation."""
        cluster = self._cluster
        if cluster is None:
            self.missing["the cluster"] = "there is none to ask any more"
            return
        self.pods = await self._asked("pods", cluster.pods(), ())
        self.events = await self._asked("events", cluster.events(), ())
        self.sidecars = await self._asked("sidecars", cluster.sidecars(self._namespace), ())
        for pod in self.unwell[:_DESCRIBED]:
            name = f"{pod.namespace}/{pod.name}"
            self.described[name] = await self._asked(name, cluster.describe(pod.namespace, pod.name), "")

    @property
    def unwell(self) -> tuple[PodState, ...]:
        """The pods that are not ready, or were started again."""
        return tuple(pod for pod in self.pods if not well(pod))

    async def _asked(self, what: str, question: Awaitable[T], otherwise: T) -> T:
        try:
            return await question
        except Exception as error:  # noqa: BLE001 - one that fails must not take the others with it
            self.missing[what] = cause(error)
            return otherwise

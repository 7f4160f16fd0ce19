"""What a chart renders, and stand-ins for the cluster and for Prometheus, for tests of canaries."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio.lowlevel

from sluice.domain import Series
from sluice.errors import ClusterError, NotReady

Counts = Mapping[str, float]  # bad and total by side, such as canary-bad


def deployment() -> dict[str, Any]:
    """As much of what a chart renders as a canary has to do with."""
    labels = {"app.kubernetes.io/name": "api", "app.kubernetes.io/managed-by": "Helm", "service": "api"}
    config = {"configMapRef": {"name": "api"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "default", "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "api"}},
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {
                    "initContainers": [{"name": "migrate", "image": "r/api@sha256:new", "envFrom": [config]}],
                    "containers": [
                        {
                            "name": "api",
                            "image": "r/api@sha256:new",
                            "envFrom": [copy.deepcopy(config), {"secretRef": {"name": "api"}}],
                            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "api", "key": "A"}}}],
                        }
                    ],
                    "volumes": [
                        {"name": "dapr", "configMap": {"name": "api-dapr"}},
                        {"name": "components", "configMap": {"name": "dapr-components"}},
                    ],
                },
            },
        },
    }


def config(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"A": "new"}}


@dataclass
class FakeCluster:
    """Implements steps.canary.CanaryCluster; `does` keeps what was asked of it."""

    stable: int = 4
    not_ready: str = ""
    troubles: list[str | ClusterError] = field(default_factory=list)
    refuses: tuple[str, ...] = ()
    does: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)

    async def stable_pods(self, service: str) -> int:
        """As many as it was given."""
        return self.stable

    async def apply(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Note the Deployment's replicas."""
        self._refuse("apply")
        self.there = [one["metadata"]["name"] for one in objects]
        self.does.append(f"apply {objects[-1]['spec']['replicas']}")

    async def wait_ready(self, service: str, *, replicas: int, deadline_seconds: float) -> None:
        """Be ready, or not."""
        if self.not_ready:
            raise NotReady("the canary of api will not become ready", seen=self.not_ready)

    async def trouble(self, service: str) -> str:
        """One after the other of what it was given."""
        found = self.troubles.pop(0) if self.troubles else ""
        if isinstance(found, ClusterError):
            raise found
        return found

    async def remove(self, service: str, *, deadline_seconds: float) -> None:
        """Take it away, which takes a moment."""
        self._refuse("remove")
        await anyio.lowlevel.checkpoint()
        self.there = []
        self.does.append("remove")

    def _refuse(self, what: str) -> None:
        if what in self.refuses:
            raise ClusterError(
                f"the API server refused to {what}", seen="403: forbidden", next_command="kubectl auth can-i"
            )


@dataclass
class FakePrometheus:
    """Implements ports.Metrics; each time it is asked what time it is, ten seconds are over."""

    counts: Callable[[float], Counts | Exception]
    now: float = 1_000_000.0
    asked: list[str] = field(default_factory=list)

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """The time, or the count of one side of one of both, at the time of the look."""
        if query == "time()":
            self.now += 10
            return (Series({}, ((self.now, self.now),)),)
        assert at == self.now, "all numbers of a look are of one time"
        self.asked.append(query)
        found = self.counts(self.now - 1_000_010)
        if isinstance(found, Exception):
            raise found
        side = "canary" if 'pod=~"' in query else "stable"
        key = f"{side}-{'bad' if '5..' in query else 'total'}"
        return (Series({}, ((at, found[key]),)),) if key in found else ()

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """Nobody asks."""
        raise NotImplementedError

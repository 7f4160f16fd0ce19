"""What the steps need from the outside, where two adapters are real or one has a fake beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from sluice.domain import Image, Series


@dataclass(frozen=True)
class LogLine:
    """A line that Loki kept: `at` in seconds since the epoch, its stream's labels, the text."""

    at: float
    labels: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class ContainerState:
    """A container of a pod as it is now; `last_exit` tells how the instance before this one ended."""

    name: str
    init: bool
    ready: bool
    restarts: int
    state: Literal["running", "waiting", "terminated", "unknown"]
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    last_exit: str = ""


@dataclass(frozen=True)
class PodState:
    """A pod as it is now; `message` says why it is not scheduled or was evicted."""

    namespace: str
    name: str
    phase: str
    ready: bool
    node: str = ""
    message: str = ""
    containers: tuple[ContainerState, ...] = ()


@dataclass(frozen=True)
class ClusterEvent:
    """What Kubernetes noted about an object: `at` in seconds since the epoch, seen last."""

    at: float
    namespace: str
    kind: str
    name: str
    warning: bool
    reason: str
    message: str
    count: int = 1


@dataclass(frozen=True)
class Rollout:
    """How far a Deployment, StatefulSet, DaemonSet or Job is; `selector` finds its pods.

    `revision` is what a StatefulSet's controller gives every pod of it; empty where it does not replace pods by itself.
    """

    namespace: str
    kind: str
    name: str
    done: bool
    detail: str
    selector: str
    revision: str = ""


@dataclass(frozen=True)
class LogTail:
    """The end of a container's log, and how many bytes before it were left out."""

    text: str
    cut_bytes: int = 0


@dataclass(frozen=True)
class Sidecar:
    """What a Dapr sidecar says of itself now; `error` where it did not answer."""

    pod: str
    app: str = ""
    version: str = ""
    components: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class HeldAlert:
    """An alert that an Alertmanager holds now: since when, and whether it is active or suppressed."""

    started: float
    labels: Mapping[str, str]
    state: str


@dataclass(frozen=True)
class Silence:
    """A silence of an Alertmanager: times since the epoch in seconds; `matches` is what it silences, as written."""

    started: float
    ends: float
    who: str
    comment: str
    matches: str


class ImageBuilder(Protocol):
    """Knows how to turn a staged context with a Dockerfile into an image in a registry."""

    async def build(self, name: str, context: Path, *, build_args: Mapping[str, str], repository: str) -> Image:
        """Build, push, and return the image by digest. Raises CommandFailed with the builder's last lines."""
        ...


class Metrics(Protocol):
    """Knows how to ask a Prometheus."""

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """The query's vector at a time: one point a series. Raises EvidenceError when it is refused."""
        ...

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """The query over a window. Raises EvidenceError when it is refused."""
        ...


class Logs(Protocol):
    """Knows how to ask a Loki."""

    async def lines(self, query: str, *, start: float, end: float, limit: int = 1000) -> tuple[LogLine, ...]:
        """The log lines of a window, oldest first. Raises EvidenceError when it is refused."""
        ...

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """A metric query over logs at a time. Raises EvidenceError when it is refused."""
        ...

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """A metric query over logs over a window. Raises EvidenceError when it is refused."""
        ...


class Alerting(Protocol):
    """Knows how to ask an Alertmanager; both methods raise EvidenceError when it refuses."""

    async def alerts(self) -> tuple[HeldAlert, ...]:
        """The alerts that it holds, suppressed ones too."""
        ...

    async def silences(self) -> tuple[Silence, ...]:
        """The silences that it knows, those that are over included while it keeps them."""
        ...


class Workloads(Protocol):
    """Knows how to read what runs in a cluster; every method raises ClusterError when that is refused."""

    async def pods(self, namespace: str = "", *, selector: str = "") -> tuple[PodState, ...]:
        """The pods of a namespace, or of all."""
        ...

    async def events(self, namespace: str = "") -> tuple[ClusterEvent, ...]:
        """The events of a namespace, or of all, oldest first."""
        ...

    async def rollouts(self, namespace: str = "", *, selector: str = "") -> tuple[Rollout, ...]:
        """The Deployments, StatefulSets, DaemonSets and Jobs of a namespace, or of all."""
        ...

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
        """The last lines of a container, or of the instance before it; at most `max_bytes` of them."""
        ...


class Inspection(Workloads, Protocol):
    """Knows how to look closer, for somebody who was not there; raises ClusterError as `Workloads` does."""

    async def describe(self, namespace: str, pod: str) -> str:
        """A pod as YAML: conditions, states, images, limits, probes. No environment: secrets travel in it."""
        ...

    async def sidecars(self, namespace: str) -> tuple[Sidecar, ...]:
        """What each Dapr sidecar of a namespace has loaded and is subscribed to."""
        ...


class Progress(Protocol):
    """Knows how to show what is going on."""

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        """A piece of work starts; `expected_seconds` is what it took last time."""
        ...

    def update(self, task: str, text: str) -> None:
        """Something worth a word happened inside it."""
        ...

    def end(self, task: str, *, outcome: str, detail: str = "") -> None:
        """It ended: done, failed or cancelled."""
        ...

"""Pods, events and sidecars as text, a few lines each."""

from collections.abc import Sequence

from sluice.ports import ClusterEvent, PodState, Sidecar
from sluice.steps.bundle import moment

STOPPED = ("Killing", "Preempting", "TaintManagerEviction")  # they are no warnings
_FINISHED = ("Succeeded", "Completed")


def well(pod: PodState) -> bool:
    """Whether a pod is ready or has done its work, and was never started again."""
    return (pod.ready or pod.phase in _FINISHED) and not any(container.restarts for container in pod.containers)


def pod_text(pod: PodState) -> str:
    """A pod, and a line a container."""
    ready = "ready" if pod.ready else "not ready"
    lines = [f"{pod.namespace}/{pod.name}: {pod.phase}, {ready}, on {pod.node or 'no node'}"]
    lines += [f"  {pod.message}"] if pod.message else []
    for container in pod.containers:
        words = [f"  {'init ' if container.init else ''}container {container.name}: {container.state}"]
        words += [container.reason] if container.reason else []
        words += [f"exit code {container.exit_code}"] if container.exit_code is not None else []
        words += [container.message] if container.message else []
        words += [] if container.ready else ["not ready"]
        words += [f"{container.restarts} restarts"] if container.restarts else []
        words += [f"before: {container.last_exit}"] if container.last_exit else []
        lines.append(", ".join(words))
    return "\n".join(lines) + "\n"


def event_line(event: ClusterEvent) -> str:
    """An event in a line, its end included."""
    times = f" ({event.count} times)" if event.count > 1 else ""
    kind = "Warning" if event.warning else "Normal"
    about = f"{event.namespace}/{event.kind}/{event.name}"
    return f"{moment(event.at)} {kind} {about} {event.reason}: {event.message}{times}\n"


def sidecar_text(sidecar: Sidecar) -> str:
    """A sidecar, its components and what it is subscribed to."""
    if sidecar.error:
        return f"{sidecar.pod}: the sidecar did not say: {sidecar.error}\n"
    lines = [f"{sidecar.pod}: {sidecar.app}, Dapr {sidecar.version}"]
    lines += [f"  component {one}" for one in sidecar.components] or ["  no component"]
    lines += [f"  subscribed: {one}" for one in sidecar.subscriptions] or ["  no subscription"]
    return "\n".join(lines) + "\n"


def telling(events: Sequence[ClusterEvent], end: float, most: int) -> list[ClusterEvent]:
    """Of each kind of warning, and of what Kubernetes stopped, the last, at most so many of them.

    A probe that fails tells the same again and again. What came last after `end` is told only where nothing else is.
    """
    found = [event for event in events if event.warning or event.reason in STOPPED]
    found = [event for event in found if event.at <= end] or found
    kinds = {(event.namespace, event.name.rpartition("-")[0], event.reason): event for event in found}
    return list(kinds.values())[-most:]

"""Kubernetes objects, as the API writes them, into the values of ports.py."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from sluice.ports import ClusterEvent, ContainerState, PodState, Rollout

Object = Mapping[str, Any]
_SHORTEST_SECRET = 8
_KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet", "job": "Job"}


def pod(item: Object) -> PodState:
    """A pod with the state of all its containers, init containers first."""
    status = item.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    statuses = [
        *(_container(entry, init=True) for entry in status.get("initContainerStatuses") or []),
        *(_container(entry, init=False) for entry in status.get("containerStatuses") or []),
    ]
    scheduled = conditions.get("PodScheduled", {})
    unscheduled = scheduled.get("status") == "False"
    said = [status.get("reason"), status.get("message"), scheduled.get("message") if unscheduled else None]
    return PodState(
        namespace=item["metadata"]["namespace"],
        name=item["metadata"]["name"],
        phase="Terminating" if item["metadata"].get("deletionTimestamp") else status.get("phase", "Unknown"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        node=item.get("spec", {}).get("nodeName", ""),
        message=": ".join(word for word in said if word),
        containers=tuple(statuses),
    )


def _container(entry: Object, *, init: bool) -> ContainerState:
    state: Literal["running", "waiting", "terminated", "unknown"] = "unknown"
    detail: Object = {}
    current = entry.get("state") or {}
    if "running" in current:
        state = "running"
    elif "waiting" in current:
        state, detail = "waiting", current["waiting"] or {}
    elif "terminated" in current:
        state, detail = "terminated", current["terminated"] or {}
    last = (entry.get("lastState") or {}).get("terminated") or {}
    return ContainerState(
        name=entry["name"],
        init=init,
        ready=bool(entry.get("ready")),
        restarts=int(entry.get("restartCount") or 0),
        state=state,
        reason=detail.get("reason", ""),
        message=detail.get("message", ""),
        exit_code=detail.get("exitCode"),
        last_exit=_exit(last) if last else "",
    )


def _exit(terminated: Object) -> str:
    signal = f", signal {terminated['signal']}" if terminated.get("signal") else ""
    message = f": {terminated['message']}" if terminated.get("message") else ""
    return f"{terminated.get('reason', 'ended')}, exit code {terminated.get('exitCode')}{signal}{message}"


def event(item: Object) -> ClusterEvent:
    """An event; the newer API keeps its times and counts elsewhere than the older one."""
    series = item.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        item.get("lastTimestamp"),
        item.get("eventTime"),
        item["metadata"].get("creationTimestamp"),
    )
    involved = item.get("involvedObject") or {}
    return ClusterEvent(
        at=next((datetime.fromisoformat(time).timestamp() for time in times if time), 0.0),
        namespace=involved.get("namespace") or item["metadata"].get("namespace", ""),
        kind=involved.get("kind", ""),
        name=involved.get("name", ""),
        warning=item.get("type") == "Warning",
        reason=item.get("reason") or "",
        message=item.get("message") or "",
        count=int(series.get("count") or item.get("count") or 1),
    )


def secret_values(item: Object) -> Iterator[str]:
    """The texts of a Secret that are long enough to be no ordinary word; of a JSON Web Key also its private part."""
    for data in (item.get("data") or {}).values():
        with suppress(ValueError):  # what is no text stands in no log
            value = base64.b64decode(data).decode().strip()
            if len(value) >= _SHORTEST_SECRET:
                yield value
                with suppress(ValueError, TypeError, KeyError):
                    yield str(json.loads(value)["d"])


def rollout(kind: str, item: Object) -> Rollout:
    """How far a workload is, by the rules of `kubectl rollout status` and a Job's conditions; `kind` in lower case."""
    spec, status = item.get("spec", {}), item.get("status", {})
    if kind == "job":  # it tells no generation, since it cannot be changed
        done, detail = _job(spec, status)
    elif not _seen(item):
        done, detail = False, "its controller has not seen the change yet"
    elif kind == "daemonset":
        done, detail = _daemonset(status)
    else:
        wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
        done, detail = _deployment(status, wanted) if kind == "deployment" else _statefulset(spec, status, wanted)
    return Rollout(
        namespace=item["metadata"]["namespace"],
        kind=_KINDS[kind],
        name=item["metadata"]["name"],
        done=done,
        detail=detail,
        selector=_selector(spec.get("selector") or {}),
        revision=_revision(item) if kind == "statefulset" else "",
    )


def _deployment(status: Object, wanted: int) -> tuple[bool, str]:
    updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
    old = int(status.get("replicas") or 0) - updated
    if updated < wanted:
        return False, f"{updated} of {wanted} pods are of the new revision"
    if old > 0:
        return False, f"{old} pods of the old revision are still there"
    return available >= updated, f"{available} of {wanted} pods are available"


def _statefulset(spec: Object, status: Object, wanted: int) -> tuple[bool, str]:
    ready = int(status.get("readyReplicas") or 0)
    if ready < wanted:
        return False, f"{ready} of {wanted} pods are ready"
    rolls, partition = _strategy(spec)
    if not rolls or status.get("updateRevision") == status.get("currentRevision"):
        return True, f"{ready} of {wanted} pods are ready"
    updated = int(status.get("updatedReplicas") or 0)
    return updated >= wanted - partition, f"{updated} of {wanted - partition} pods are of the new revision"


def _revision(item: Object) -> str:
    """What a StatefulSet's controller makes every pod; empty where it does not, or has not seen the newest change."""
    status, (rolls, partition) = item.get("status", {}), _strategy(item["spec"])
    return str(status.get("updateRevision") or "") if _seen(item) and rolls and not partition else ""


def _strategy(spec: Object) -> tuple[bool, int]:
    """Whether a StatefulSet's controller replaces its pods, and the first ordinal from which on."""
    strategy = spec.get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    return strategy.get("type", "RollingUpdate") == "RollingUpdate", int(partition or 0)


def _seen(item: Object) -> bool:
    """Whether a workload's controller has seen its newest specification."""
    return int(item.get("status", {}).get("observedGeneration") or 0) >= int(item["metadata"].get("generation") or 0)


def _daemonset(status: Object) -> tuple[bool, str]:
    wanted = int(status.get("desiredNumberScheduled") or 0)
    updated, available = (
        int(status.get("updatedNumberScheduled") or 0),
        int(status.get("numberAvailable") or 0),
    )
    if updated < wanted:
        return False, f"{updated} of {wanted} pods are of the new revision"
    return available >= wanted, f"{available} of {wanted} pods are available"


def _job(spec: Object, status: Object) -> tuple[bool, str]:
    conditions = {one["type"]: one for one in status.get("conditions") or [] if one.get("status") == "True"}
    succeeded, failed = int(status.get("succeeded") or 0), int(status.get("failed") or 0)
    detail = f"{succeeded} of {spec.get('completions') or 1} pods have succeeded"
    if failed:
        detail += f", {failed} failed"
    if "Failed" in conditions:
        detail += f"; given up: {conditions['Failed'].get('message') or conditions['Failed'].get('reason')}"
    return "Complete" in conditions, detail


def _selector(selector: Object) -> str:
    """A label selector as a query parameter."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], ",".join(expression.get("values") or [])
        parts.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(
                expression["operator"], f"!{key}"
            )
        )
    return ",".join(parts)

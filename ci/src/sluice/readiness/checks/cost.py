"""Checks of the section cost."""

import re
from collections.abc import Iterator

from sluice.readiness.checks.logs import seconds
from sluice.readiness.model import Found
from sluice.readiness.snapshot import Snapshot
from sluice.readiness.workloads import Workload, each, each_workload

_LABELS = ("app.kubernetes.io/name", "service")
_LEAST_USED = 0.2
_SIZE = re.compile(r"[1-9][0-9.]*[KMGTP]i?B")


def labelled(snapshot: Snapshot) -> Found:
    """What every pod costs can be told by its service: it has the labels that costs are summed by."""

    def fault(one: Workload) -> str:
        missing = [name for name in _LABELS if not one.labels.get(name)]
        return f"no label {', '.join(missing)}" if missing else ""

    return each_workload(snapshot, fault)


def used(snapshot: Snapshot) -> Found:
    """Services use a fifth of the memory that they request at least: the rest is paid for and idle."""
    return each(
        "container that is measured",
        snapshot.prometheus.numbers.get("memory", {}).items(),
        lambda share: "" if share >= _LEAST_USED else f"uses {share:.0%} of the memory that it requests",
    )


def metrics_bounded(snapshot: Snapshot) -> Found:
    """Prometheus deletes what is old: by time, and by size before its volume is full."""
    told = snapshot.prometheus.retention
    parts = told.split(" or ")

    def wrong() -> Iterator[str]:
        if not any(seconds(part) for part in parts):
            yield "no retention by time"
        if not any(_SIZE.fullmatch(part) for part in parts):
            yield "no retention by size: a full volume stops it"

    return Found(f"retention {told or 'unknown'}", tuple(wrong()))


def volumes_used(snapshot: Snapshot) -> Found:
    """Every volume that is paid for is somebody's: its claim is used by a pod, or it is bound at least."""
    mounted = {
        (pod["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"])
        for pod in snapshot.cluster.of("pods")
        for volume in pod["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }
    found = each(
        "volume claim",
        snapshot.cluster.named("persistentvolumeclaims"),
        lambda one: (
            "" if (one["metadata"]["namespace"], one["metadata"]["name"]) in mounted else "no pod has it mounted"
        ),
    )
    left = [
        f"the volume {one['metadata']['name']} is Released: nobody's, and still paid for"
        for one in snapshot.cluster.of("persistentvolumes")
        if (one.get("status") or {}).get("phase") == "Released"
    ]
    return Found(found.seen, (*found.wrong, *left))


CHECKS = {
    "cost.labelled": labelled,
    "cost.used": used,
    "cost.metrics-bounded": metrics_bounded,
    "cost.volumes-used": volumes_used,
}

"""Checks of the section data."""

from collections.abc import Iterator
from datetime import datetime

from sluice.readiness.model import Found
from sluice.readiness.snapshot import Object, Snapshot
from sluice.readiness.workloads import each, workloads

BACKUP = {"app.kubernetes.io/component": "backup"}  # the label by which a CronJob says that it backs up
_STATEFUL = ("Prometheus", "Alertmanager", "StatefulSet")
_HOURS = 25  # since the last backup that succeeded, which is a daily one at least


def bound(snapshot: Snapshot) -> Found:
    """Every claim of a volume has its volume."""

    def fault(one: Object) -> str:
        phase = (one.get("status") or {}).get("phase")
        return "" if phase == "Bound" else f"is {phase}"

    return each("volume claim", snapshot.cluster.named("persistentvolumeclaims"), fault)


def kept(snapshot: Snapshot) -> Found:
    """Prometheus, Alertmanager and every StatefulSet keep what they have on volumes that outlive their pods."""
    given = [(str(one), one.object) for one in workloads(snapshot.charts) if one.kind in _STATEFUL]

    def fault(one: Object) -> str:
        spec = one["spec"]
        claims = spec.get("volumeClaimTemplates") or (spec.get("storage") or {}).get("volumeClaimTemplate")
        return "" if claims else "has no volume: it is empty after each restart"

    return each("workload with data", given, fault)


def backed_up(snapshot: Snapshot) -> Found:
    """A backup is scheduled, and one succeeded within the last 25 hours."""
    given = [
        (name, one)
        for name, one in snapshot.cluster.named("cronjobs")
        if BACKUP.items() <= (one["metadata"].get("labels") or {}).items()
    ]

    def fault(one: Object) -> Iterator[str]:
        if one["spec"].get("suspend"):
            yield "is suspended"
        last = (one.get("status") or {}).get("lastSuccessfulTime")
        if last is None:
            yield "never succeeded"
        else:
            hours = (snapshot.at - datetime.fromisoformat(last).timestamp()) / 3600
            if hours > _HOURS:
                yield f"succeeded {hours:.0f} hours ago, not within {_HOURS}"

    return each("CronJob that backs up", given, fault)


def reclaimed(snapshot: Snapshot) -> Found:
    """A claim that is deleted by mistake does not take its data with it: its class or volume retains it."""
    given = [
        (one["metadata"]["name"], one["spec"].get("persistentVolumeReclaimPolicy"))
        for one in snapshot.cluster.of("persistentvolumes")
        if ((one["spec"].get("claimRef") or {}).get("namespace")) in snapshot.target.cluster.namespaces
    ]
    return each("volume", given, lambda policy: "" if policy == "Retain" else f"persistentVolumeReclaimPolicy {policy}")


CHECKS = {
    "data.bound": bound,
    "data.kept": kept,
    "data.backed-up": backed_up,
    "data.reclaimed": reclaimed,
}

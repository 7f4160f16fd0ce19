"""Checks of the section logging."""

import re

from sluice.readiness.model import Found
from sluice.readiness.snapshot import Object, Snapshot
from sluice.readiness.workloads import each, workloads

LABELS = ("namespace", "service", "pod", "container", "level")
# What Loki, or whoever writes alerts to it, adds by itself.
_OWN = ("service_name", "detected_level")
_DURATION = re.compile(r"(\d+)(ms|y|w|d|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
_SHORTEST_DAYS = 14
_FEWEST = 2


def taken(snapshot: Snapshot) -> Found:
    """Loki took lines of every service of the tree in the last 15 minutes."""
    lines = snapshot.loki.lines
    services = [(name, name) for name in snapshot.tree.services]
    return each("service", services, lambda name: "" if lines.get(name, 0) > 0 else "no line in the last 15 minutes")


def labels(snapshot: Snapshot) -> Found:
    """Streams have the labels that runbooks and dashboards ask by, and no others: each one more multiplies them."""
    has = {name for name in snapshot.loki.labels if not name.startswith("__")}
    missing = [f"no label {name}" for name in LABELS if name not in has]
    more = [f"a label {name}, which nobody asks by" for name in sorted(has - {*LABELS, *_OWN})]
    return Found(f"labels: {len(has)}", (*missing, *more))


def retention(snapshot: Snapshot) -> Found:
    """The compactor deletes what is older than the retention, which covers an incident that is found late."""
    config = snapshot.loki.config
    period = seconds((config.get("limits_config") or {}).get("retention_period"))
    wrong = []
    if (config.get("compactor") or {}).get("retention_enabled") is not True:
        wrong.append("compactor.retention_enabled is not true: nothing is ever deleted")
    if period < _SHORTEST_DAYS * 86_400:
        wrong.append(f"lines are kept for {period / 86_400:g} days, not for {_SHORTEST_DAYS}")
    return Found("Loki's configuration", tuple(wrong))


def seconds(text: object) -> float:
    """Return a duration such as 4w2d or 720h0m0s in seconds; 0 for what is none, which keeps nothing."""
    parts = _DURATION.findall(str(text))
    whole = "".join(number + unit for number, unit in parts) == str(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if whole else 0.0


def several(snapshot: Snapshot) -> Found:
    """Each line is kept by more than one Loki until it is in an object store."""
    common = snapshot.loki.config.get("common") or {}
    ingester = (snapshot.loki.config.get("ingester") or {}).get("lifecycler") or {}
    factor = (ingester.get("ring") or {}).get("replication_factor", common.get("replication_factor", 1))
    return Found(
        "Loki's configuration",
        () if int(factor) >= _FEWEST else (f"replication_factor {factor}: a Loki that is lost takes lines with it",),
    )


def collected(snapshot: Snapshot) -> Found:
    """The collector runs on every node, and is ready there."""
    space = snapshot.target.cluster.logging
    given = [
        (f"DaemonSet/{one['metadata']['name']}", one["status"]) for one in snapshot.cluster.of("daemonsets", space)
    ]
    nodes = len(snapshot.cluster.of("nodes"))

    def fault(status: Object) -> str:
        ready = int(status.get("numberReady") or 0)
        return "" if ready >= nodes else f"ready on {ready} of {nodes} nodes"

    return each("collector", given, fault)


def stored(snapshot: Snapshot) -> Found:
    """Lines are in an object store, which outlives every node and volume of the cluster."""
    values = snapshot.charts.values.get("logging", {})
    kind = ((values.get("loki") or {}).get("objectStorage") or {}).get("type")
    if not any(one.chart == "logging" for one in workloads(snapshot.charts)):
        return Found("no chart logging", ("there is no chart logging",))
    return Found(f"objectStorage.type {kind}", () if kind in ("s3", "azure", "gcs") else (f"they are on {kind}",))


CHECKS = {
    "logging.taken": taken,
    "logging.labels": labels,
    "logging.retention": retention,
    "logging.several": several,
    "logging.collected": collected,
    "logging.stored": stored,
}

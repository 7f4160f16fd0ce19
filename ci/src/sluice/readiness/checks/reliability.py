"""Checks of the section reliability."""

from collections.abc import Iterator

from sluice.readiness.model import Found
from sluice.readiness.snapshot import Charts, Object, Snapshot
from sluice.readiness.workloads import Workload, autoscalers, each, each_container, each_workload, matches

_FEWEST = 2
_PROBES = ("readinessProbe", "livenessProbe")
_HOPELESS = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError")


def replicas(snapshot: Snapshot) -> Found:
    """Every service has two pods at least, whatever the load."""

    def fault(one: Workload) -> str:
        count = least(snapshot.charts, one)
        return "" if count >= _FEWEST else f"{count} pod at the least"

    return each_workload(snapshot, fault, services=True)


def least(charts: Charts, one: Workload) -> int:
    """Return how many pods a Deployment has at the least: its autoscaler's word, else its own."""
    scaler = autoscalers(charts).get((one.kind, one.name))
    return int(scaler.get("minReplicas", 1) if scaler else one.object["spec"].get("replicas", 1))


def probes(snapshot: Snapshot) -> Found:
    """Every container that serves a port is asked whether it is ready and whether it lives."""

    def fault(container: Object, _: Workload) -> str:
        missing = [probe for probe in _PROBES if probe not in container]
        return f"no {' and no '.join(missing)}" if container.get("ports") and missing else ""

    return each_container(snapshot, fault, lasting=True)


def disruption(snapshot: Snapshot) -> Found:
    """A drain leaves each service pods: it has a PodDisruptionBudget, and one that lets drains go on."""
    budgets = [one for _, one in snapshot.charts.of_kind("PodDisruptionBudget")]

    def fault(one: Workload) -> str:
        own = [budget["spec"] for budget in budgets if matches(budget["spec"].get("selector"), one.labels)]
        if len(own) != 1:
            return f"{len(own) or 'no'} PodDisruptionBudget{'s' if own else ''}"
        if own[0].get("maxUnavailable") in (0, "0", "0%") or own[0].get("minAvailable") == "100%":
            return "its PodDisruptionBudget lets no node be drained"
        return ""

    return each_workload(snapshot, fault, services=True)


def spread(snapshot: Snapshot) -> Found:
    """The pods of a service are on different nodes, where there are any."""

    def fault(one: Workload) -> str:
        keys = {
            spread["topologyKey"]
            for spread in one.pod.get("topologySpreadConstraints") or ()
            if matches(spread.get("labelSelector"), one.labels)
        }
        anti = (one.pod.get("affinity") or {}).get("podAntiAffinity")
        return "" if anti or "kubernetes.io/hostname" in keys else "nothing spreads its pods over nodes"

    return each_workload(snapshot, fault, services=True)


def graceful(snapshot: Snapshot) -> Found:
    """A service that is stopped goes on serving until nobody calls it any more, and has time to end."""

    def fault(one: Workload) -> Iterator[str]:
        pauses = [(container.get("lifecycle") or {}).get("preStop") or {} for container in one.containers]
        if not any(pauses):
            yield "no preStop: it is called after it has gone"
        slept = max((int((pause.get("sleep") or {}).get("seconds", 0)) for pause in pauses), default=0)
        grace = int(one.pod.get("terminationGracePeriodSeconds", 30))
        if grace <= slept:
            yield f"its {grace} s to end are over before preStop's {slept} s are"

    return each_workload(snapshot, fault, services=True)


def rolling(snapshot: Snapshot) -> Found:
    """A new version takes a pod away only once another is ready."""

    def fault(one: Workload) -> str:
        strategy = one.object["spec"].get("strategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return f"strategy {strategy['type']}"
        away = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
        return "" if away in (0, "0%") else f"maxUnavailable {away}"

    return each_workload(snapshot, fault, services=True)


def nodes(snapshot: Snapshot) -> Found:
    """There are two nodes at least, and all are ready."""

    found = each(
        "node",
        ((one["metadata"]["name"], one) for one in snapshot.cluster.of("nodes")),
        lambda node: "" if _ready(node) else "not ready",
    )
    few = len(snapshot.cluster.of("nodes")) < _FEWEST
    return Found(found.seen, (*found.wrong, *(["one node: all goes when it does"] if few else [])))


def pods(snapshot: Snapshot) -> Found:
    """Every pod of the target's namespaces is ready."""
    found = snapshot.cluster.named("pods", snapshot.target.cluster.namespaces)
    given = [(name, pod) for name, pod in found if pod["status"].get("phase") != "Succeeded"]

    def fault(pod: Object) -> str:
        states = pod["status"].get("containerStatuses") or ()
        waits = [(one.get("state") or {}).get("waiting", {}).get("reason") for one in states]
        hopeless = [reason for reason in waits if reason in _HOPELESS]
        if hopeless:
            return str(hopeless[0])
        return "" if _ready(pod) else f"{pod['status'].get('phase')}, not ready"

    return each("pod", given, fault)


def _ready(one: Object) -> bool:
    """Whether a node or a pod says that it is."""
    return [told["status"] for told in one["status"].get("conditions") or () if told["type"] == "Ready"] == ["True"]


CHECKS = {
    "reliability.replicas": replicas,
    "reliability.probes": probes,
    "reliability.disruption": disruption,
    "reliability.spread": spread,
    "reliability.graceful": graceful,
    "reliability.rolling": rolling,
    "reliability.nodes": nodes,
    "reliability.pods": pods,
}

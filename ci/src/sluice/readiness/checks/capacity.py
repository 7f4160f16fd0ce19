"""Checks of the section capacity."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from sluice.readiness.model import Found
from sluice.readiness.snapshot import Object, Snapshot
from sluice.readiness.workloads import Workload, autoscalers, each, each_container, each_workload, workloads

_FULL = 0.8


def quantity(text: object) -> Decimal:
    """Return a quantity of Kubernetes in its unit, such as cores or bytes. Raises ValueError for what is none.

    Kubernetes' client is loaded with every command anyway (adapters/kubernetes/connection.py).
    """
    return Decimal(parse_quantity(text))  # type: ignore[no-untyped-call]


def _told(name: str, amount: Decimal) -> str:
    return f"{amount / 2**30:.1f} GiB" if name == "memory" else f"{amount:.2f}"


def requests(snapshot: Snapshot) -> Found:
    """Every container requests CPU and memory, and has a limit of memory."""

    def fault(container: Object, _: Workload) -> str:
        given = container.get("resources") or {}
        asked, limits = given.get("requests") or {}, given.get("limits") or {}
        missing = [f"request of {name}" for name in ("cpu", "memory") if name not in asked]
        missing += [] if "memory" in limits else ["limit of memory"]
        return f"no {', no '.join(missing)}" if missing else ""

    return each_container(snapshot, fault)


def autoscaled(snapshot: Snapshot) -> Found:
    """Every service grows with its load: it has an autoscaler with room above its least."""
    scalers = autoscalers(snapshot.charts)

    def fault(one: Workload) -> str:
        spec = scalers.get((one.kind, one.name))
        if spec is None:
            return "no autoscaler"
        room = int(spec["maxReplicas"]) > int(spec.get("minReplicas", 1))
        return "" if room else f"no room above {spec['maxReplicas']} pods"

    return each_workload(snapshot, fault, services=True)


def metrics_api(snapshot: Snapshot) -> Found:
    """The metrics API answers: without it no autoscaler sees any load."""
    return Found("metrics.k8s.io", () if snapshot.cluster.metrics_api else ("does not answer",))


def one_node_less(snapshot: Snapshot) -> Found:
    """All that pods request fits on the nodes but the largest."""
    asked: dict[str, Decimal] = defaultdict(Decimal)
    for pod in snapshot.cluster.of("pods"):
        if pod["status"].get("phase") in ("Succeeded", "Failed"):
            continue
        sidecars = [one for one in pod["spec"].get("initContainers") or () if one.get("restartPolicy") == "Always"]
        for container in (*pod["spec"]["containers"], *sidecars):
            for name, amount in ((container.get("resources") or {}).get("requests") or {}).items():
                asked[name] += quantity(amount)
    nodes = [one["status"].get("allocatable") or {} for one in snapshot.cluster.of("nodes")]
    wrong = [] if nodes and asked else ["no node, or no pod that requests anything"]
    for name in ("cpu", "memory"):
        there = sorted(quantity(one.get(name, "0")) for one in nodes)
        left = sum(there[:-1], Decimal())
        if asked[name] > left:
            wrong.append(f"{name}: {_told(name, asked[name])} requested, {_told(name, left)} without the largest node")
    return Found(f"nodes: {len(nodes)}", tuple(wrong))


def grown(snapshot: Snapshot) -> Found:
    """The nodes hold every service at its autoscaler's most."""
    nodes = [one["status"].get("allocatable") or {} for one in snapshot.cluster.of("nodes")]
    most = {whose: int(spec["maxReplicas"]) for whose, spec in autoscalers(snapshot.charts).items()}
    wrong = [] if nodes and most else ["no node, or no autoscaler"]
    for name in ("cpu", "memory"):
        asked = sum(
            (
                quantity(((container.get("resources") or {}).get("requests") or {}).get(name, "0"))
                * most[one.kind, one.name]
                for one in workloads(snapshot.charts)
                if (one.kind, one.name) in most
                for container in one.lasting
            ),
            Decimal(),
        )
        there = sum((quantity(one.get(name, "0")) for one in nodes), Decimal())
        if asked > there:
            wrong.append(
                f"{name}: {_told(name, asked)} requested by services at their most, {_told(name, there)} there"
            )
    return Found(f"autoscalers: {len(most)}", tuple(wrong))


def bounded(snapshot: Snapshot) -> Found:
    """A ResourceQuota bounds what the services' namespace may take."""
    space = snapshot.target.cluster.services
    given = [(one["metadata"]["name"], one) for one in snapshot.cluster.of("resourcequotas", space)]

    def fault(one: Object) -> Iterator[str]:
        hard, used = one["spec"].get("hard") or {}, (one.get("status") or {}).get("used") or {}
        for name, amount in hard.items():
            if quantity(used.get(name, "0")) >= quantity(amount):
                yield f"{name} is used up: {used[name]} of {amount}"

    return each(f"ResourceQuota in {space}", given, fault)


def volumes(snapshot: Snapshot) -> Found:
    """No volume is fuller than 80 %."""
    return each(
        "volume that is measured",
        snapshot.prometheus.numbers.get("volumes", {}).items(),
        lambda full: "" if full < _FULL else f"{full:.0%} full",
    )


CHECKS = {
    "capacity.requests": requests,
    "capacity.autoscaled": autoscaled,
    "capacity.metrics-api": metrics_api,
    "capacity.one-node-less": one_node_less,
    "capacity.grown": grown,
    "capacity.bounded": bounded,
    "capacity.volumes": volumes,
}

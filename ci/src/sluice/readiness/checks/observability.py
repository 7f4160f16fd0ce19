"""Checks of the section observability."""

from sluice.readiness.model import Found
from sluice.readiness.snapshot import Object, Rule, Scraped, Snapshot
from sluice.readiness.workloads import Workload, each, each_workload, matches

_SLO = "slo-"  # the group of a service's rules, as ./nox -s slo names it


def monitored(snapshot: Snapshot) -> Found:
    """A ServiceMonitor or a PodMonitor of its chart finds each service."""

    def fault(one: Workload) -> str:
        objects = snapshot.charts.manifests[one.chart]
        services = [
            each_["metadata"].get("labels") or {}
            for each_ in objects
            if each_["kind"] == "Service" and matches({"matchLabels": each_["spec"].get("selector")}, one.labels)
        ]
        monitors = [each_["spec"].get("selector") for each_ in objects if each_["kind"] == "ServiceMonitor"]
        return "" if any(matches(wanted, has) for wanted in monitors for has in services) else "no ServiceMonitor"

    return each_workload(snapshot, fault, services=True)


def scraped(snapshot: Snapshot) -> Found:
    """Prometheus scrapes every service of the tree."""
    space = snapshot.target.cluster.services
    up = {one.job for one in snapshot.prometheus.scraped if one.namespace == space and one.health == "up"}
    services = [(name, name) for name in snapshot.tree.services]
    return each("service", services, lambda name: "" if name in up else "nothing of it is scraped and up")


def targets_up(snapshot: Snapshot) -> Found:
    """All that Prometheus scrapes answers."""

    def fault(one: Scraped) -> str:
        return "" if one.health == "up" else f"{one.health}: {one.error}".rstrip(": ")

    named = [(f"{one.namespace}/{one.job}".lstrip("/"), one) for one in snapshot.prometheus.scraped]
    return each("target of Prometheus", named, fault)


def rules_healthy(snapshot: Snapshot) -> Found:
    """All rules are evaluated without an error."""

    def fault(one: Rule) -> str:
        return "" if one.health == "ok" else f"{one.health}: {one.error}".rstrip(": ")

    return each("rule", ((f"{one.group} {one.name}", one) for one in snapshot.prometheus.rules), fault)


def objectives(snapshot: Snapshot) -> Found:
    """Every service of the tree has objectives, and Prometheus has the rules of them."""
    loaded = {one.group for one in snapshot.prometheus.rules}

    def fault(name: str) -> str:
        if not snapshot.tree.slos.get(name):
            return f"no services/{name}/slo.yaml"
        return "" if f"{_SLO}{name}" in loaded else f"Prometheus has no group {_SLO}{name}"

    return each("service", ((name, name) for name in snapshot.tree.services), fault)


def budgets(snapshot: Snapshot) -> Found:
    """No service has spent its error budget."""
    return each(
        "service with an error budget",
        snapshot.prometheus.numbers.get("budgets", {}).items(),
        lambda left: "" if left > 0 else f"{left:.0%} of its error budget is left",
    )


def dashboards(snapshot: Snapshot) -> Found:
    """Dashboards come with the monitoring, where Grafana's sidecar finds them."""
    label = "grafana_dashboard"
    found = [
        (name, one)
        for name, one in snapshot.charts.of_kind("ConfigMap")
        if label in (one["metadata"].get("labels") or {})
    ]

    def fault(one: Object) -> str:
        return "" if one.get("data") or one.get("binaryData") else "is empty"

    return each("dashboard", found, fault)


CHECKS = {
    "observability.monitored": monitored,
    "observability.scraped": scraped,
    "observability.targets-up": targets_up,
    "observability.rules-healthy": rules_healthy,
    "observability.objectives": objectives,
    "observability.budgets": budgets,
    "observability.dashboards": dashboards,
}

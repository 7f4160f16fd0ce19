"""A fault for each automatic item, planted in the target of good.py: what of it is wrong, and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.unit.readiness.good import NOW, Object

from sluice.promotion.ledger import append
from sluice.readiness.snapshot import Rule, Scraped, Snapshot

Fault = Callable[[Snapshot], Snapshot | None]


def of_chart(snapshot: Snapshot, chart: str, kind: str) -> Object:
    """The first object of a kind in a chart."""
    return next(dict_ for one in snapshot.charts.manifests[chart] if (dict_ := _dict(one))["kind"] == kind)


def spec(snapshot: Snapshot, kind: str, chart: str = "api") -> Object:
    """Its spec."""
    return _dict(of_chart(snapshot, chart, kind)["spec"])


def pod(snapshot: Snapshot, chart: str = "api", kind: str = "Deployment") -> Object:
    """The spec of its pods."""
    return _dict(spec(snapshot, kind, chart)["template"]["spec"])


def container(snapshot: Snapshot, chart: str = "api", kind: str = "Deployment") -> Object:
    """Its first container."""
    return _dict(pod(snapshot, chart, kind)["containers"][0])


def on_cluster(snapshot: Snapshot, plural: str) -> Object:
    """The first object of a plural."""
    return _dict(snapshot.cluster.objects[plural][0])


def _dict(value: Any) -> Object:
    assert isinstance(value, dict)
    return value


def put(where: Callable[[Snapshot], Object], **values: Any) -> Fault:
    """Put values into a place."""
    return lambda snapshot: _dict(where(snapshot)).update(values)


def take(where: Callable[[Snapshot], Object], key: str) -> Fault:
    """Take a value out of a place."""
    return lambda snapshot: _dict(where(snapshot)).pop(key) and None


def drop(chart: str, kind: str) -> Fault:
    """Take an object out of a chart."""

    def fault(snapshot: Snapshot) -> Snapshot:
        kept = [one for one in snapshot.charts.manifests[chart] if one["kind"] != kind]
        return replace(snapshot, charts=replace(snapshot.charts, manifests={**snapshot.charts.manifests, chart: kept}))

    return fault


def target(**more: Any) -> Fault:
    """Another target's file."""
    return lambda snapshot: replace(snapshot, target=replace(snapshot.target, **more))


def ledger(**more: Any) -> Fault:
    """Another ledger."""
    return lambda snapshot: replace(snapshot, ledger=replace(snapshot.ledger, **more))


def prometheus(**more: Any) -> Fault:
    """Another Prometheus."""
    return lambda snapshot: replace(snapshot, prometheus=replace(snapshot.prometheus, **more))


def number(name: str, **values: float) -> Fault:
    """Another answer of Prometheus to one query."""
    return lambda snapshot: replace(
        snapshot, prometheus=replace(snapshot.prometheus, numbers={**snapshot.prometheus.numbers, name: values})
    )


def alertmanager(**more: Any) -> Fault:
    """Another Alertmanager."""
    return lambda snapshot: replace(snapshot, alertmanager=replace(snapshot.alertmanager, **more))


def loki(**more: Any) -> Fault:
    """Another Loki."""
    return lambda snapshot: replace(snapshot, loki=replace(snapshot.loki, **more))


def _without_page(name: str) -> Fault:
    def fault(snapshot: Snapshot) -> Snapshot:
        pages = {path: text for path, text in snapshot.tree.pages.items() if not path.endswith(name)}
        return replace(snapshot, tree=replace(snapshot.tree, pages=pages))

    return fault


def _half(snapshot: Snapshot) -> Snapshot:
    last = snapshot.ledger.entries[-1]
    half = append(snapshot.ledger.entries, replace(last, promotion="three", state="planned"))
    return replace(snapshot, ledger=replace(snapshot.ledger, entries=half))


def _never_back(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, ledger=replace(snapshot.ledger, entries=snapshot.ledger.entries[:4]))


def _context(snapshot: Snapshot) -> Object:
    return _dict(container(snapshot)["securityContext"])


def _config(name: str, **values: Any) -> Fault:
    return lambda snapshot: _dict(snapshot.loki.config[name]).update(values)


def _alert(snapshot: Snapshot) -> Object:
    return _dict(spec(snapshot, "PrometheusRule", "monitoring")["groups"][0]["rules"][0])


def _variables(snapshot: Snapshot) -> Object:
    return _dict(of_chart(snapshot, "api", "ConfigMap")["data"])


def _cluster(plural: str, *keys: str) -> Callable[[Snapshot], Object]:
    def where(snapshot: Snapshot) -> Object:
        found = on_cluster(snapshot, plural)
        for key in keys:
            found = _dict(found[key])
        return found

    return where


def _rule(snapshot: Snapshot) -> Object:
    return _dict(of_chart(snapshot, "monitoring", "ClusterRole")["rules"][0])


def _values(chart: str, *keys: str) -> Callable[[Snapshot], Object]:
    def where(snapshot: Snapshot) -> Object:
        found = _dict(snapshot.charts.values[chart])
        for key in keys:
            found = _dict(found[key])
        return found

    return where


def _small_nodes(snapshot: Snapshot) -> None:
    for node in snapshot.cluster.objects["nodes"]:
        _dict(node["status"]["allocatable"]).update(cpu="150m")


FAULTS: Mapping[str, Fault] = {
    "architecture.delivered": drop("mail", "Deployment"),
    "architecture.own-database": put(_variables, DATABASE_NAME="mail"),
    "architecture.apart": lambda s: replace(
        s, target=replace(s.target, cluster=replace(s.target.cluster, monitoring="logging"))
    ),
    "architecture.one-program": lambda s: pod(s)["containers"].append({**container(s), "name": "cron"}),
    "security.non-root": put(lambda s: pod(s)["securityContext"], runAsNonRoot=False),
    "security.read-only": put(_context, readOnlyRootFilesystem=False),
    "security.no-privileges": put(_context, capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    "security.seccomp": put(lambda s: pod(s)["securityContext"], seccompProfile={"type": "Unconfined"}),
    "security.host": put(lambda s: container(s, "logging", "DaemonSet")["volumeMounts"][0], readOnly=False),
    "security.own-account": put(pod, serviceAccountName="default"),
    "security.least-rights": put(_rule, verbs=["*"]),
    "security.no-plain-secrets": put(_variables, SMTP_PASSWORD="hunter2"),
    "security.admission": put(_cluster("namespaces", "metadata"), labels={}),
    "security.database-encrypted": put(_variables, DATABASE_SSLMODE="prefer"),
    "security.signed": ledger(unproven=("api: it is not signed",)),
    "reliability.replicas": put(lambda s: spec(s, "HorizontalPodAutoscaler"), minReplicas=1),
    "reliability.probes": take(container, "livenessProbe"),
    "reliability.disruption": put(lambda s: spec(s, "PodDisruptionBudget"), maxUnavailable=0),
    "reliability.spread": take(pod, "topologySpreadConstraints"),
    "reliability.graceful": put(pod, terminationGracePeriodSeconds=5),
    "reliability.rolling": put(lambda s: spec(s, "Deployment")["strategy"], rollingUpdate={"maxUnavailable": 1}),
    "reliability.nodes": put(_cluster("nodes", "status"), conditions=[{"type": "Ready", "status": "Unknown"}]),
    "reliability.pods": put(_cluster("pods", "status"), conditions=[{"type": "Ready", "status": "False"}]),
    "observability.monitored": drop("api", "ServiceMonitor"),
    "observability.scraped": prometheus(scraped=(Scraped("api", "default", "up"),)),
    "observability.targets-up": lambda s: prometheus(
        scraped=(*s.prometheus.scraped, Scraped("node", "monitoring", "down", "refused"))
    )(s),
    "observability.rules-healthy": lambda s: prometheus(rules=(*s.prometheus.rules, Rule("g", "c", "err", "bad")))(s),
    "observability.objectives": lambda s: prometheus(rules=s.prometheus.rules[:1])(s),
    "observability.budgets": number("budgets", api=-0.1),
    "observability.dashboards": put(lambda s: of_chart(s, "monitoring", "ConfigMap"), data={}),
    "alerting.attended": put(_values("monitoring", "alertmanager"), unattended=True),
    "alerting.routes": lambda s: s.alertmanager.config["receivers"][0].pop("pagerduty_configs") and None,
    "alerting.watchdog": alertmanager(alerts=frozenset({"ApiDown"})),
    "alerting.quiet": number("firing", ApiDown=1),
    "alerting.alertmanagers": alertmanager(peers=1),
    "alerting.runbooks": put(lambda s: _alert(s)["labels"], severity="urgent"),
    "logging.taken": loki(lines={"api": 5.0, "mail": 0.0}),
    "logging.labels": loki(labels=frozenset({"namespace", "service", "pod", "container", "level", "user"})),
    "logging.retention": _config("compactor", retention_enabled=False),
    "logging.several": _config("common", replication_factor=1),
    "logging.collected": put(_cluster("daemonsets", "status"), numberReady=1),
    "logging.stored": put(_values("logging", "loki", "objectStorage"), type="filesystem"),
    "capacity.requests": lambda s: container(s)["resources"].pop("limits") and None,
    "capacity.autoscaled": put(lambda s: spec(s, "HorizontalPodAutoscaler"), maxReplicas=2),
    "capacity.metrics-api": lambda s: replace(s, cluster=replace(s.cluster, metrics_api=False)),
    "capacity.one-node-less": put(
        lambda s: on_cluster(s, "pods")["spec"]["containers"][0]["resources"], requests={"cpu": "4500m"}
    ),
    "capacity.grown": _small_nodes,
    "capacity.bounded": put(_cluster("resourcequotas", "status"), used={"requests.cpu": "4000m"}),
    "capacity.volumes": number("volumes", data=0.93),
    "data.bound": put(_cluster("persistentvolumeclaims", "status"), phase="Pending"),
    "data.kept": take(lambda s: spec(s, "Prometheus", "monitoring"), "storage"),
    "data.backed-up": put(_cluster("cronjobs", "status"), lastSuccessfulTime="2027-01-13T03:00:00Z"),
    "data.reclaimed": put(_cluster("persistentvolumes", "spec"), persistentVolumeReclaimPolicy="Delete"),
    "deployment.by-digest": put(container, image="r.example.org/sluice/api:latest"),
    "deployment.runs-by-digest": put(lambda s: on_cluster(s, "pods")["spec"]["containers"][0], image="api:1.2"),
    "deployment.verified": _half,
    "deployment.no-drift": ledger(drift=("api: Deployment api was edited",)),
    "deployment.way-back": _never_back,
    "deployment.guarded": target(approvals=0),
    "deployment.tried-first": target(strategy="rolling"),
    "networking.policies": put(lambda s: spec(s, "NetworkPolicy"), policyTypes=["Ingress"]),
    "networking.not-wide-open": put(lambda s: spec(s, "NetworkPolicy"), egress=[{"ports": [{"port": 25}]}]),
    "networking.not-exposed": put(lambda s: spec(s, "Service"), type="NodePort"),
    "networking.tls": put(_cluster("ingresses", "spec"), tls=[]),
    "networking.certificates": lambda s: replace(
        s, cluster=replace(s.cluster, certificates={"default/tls": NOW + 86_400})
    ),
    "networking.dns": put(_cluster("deployments", "status"), readyReplicas=1),
    "networking.answered": put(_cluster("endpointslices"), endpoints=[{"conditions": {"ready": False}}]),
    "cost.labelled": lambda s: spec(s, "Prometheus", "monitoring")["podMetadata"]["labels"].pop("service") and None,
    "cost.used": number("memory", api=0.05),
    "cost.metrics-bounded": prometheus(retention="31d"),
    "cost.volumes-used": put(_cluster("persistentvolumes", "status"), phase="Released"),
    "documentation.runbooks": _without_page("ApiDown.md"),
    "documentation.guides": _without_page("incident.md"),
    "documentation.of-target": _without_page("promotion.md"),
    "documentation.described": target(description=""),
}
# What else falls with a fault, because it is about the same thing.
ALSO: Mapping[str, frozenset[str]] = {
    "documentation.of-target": frozenset({"documentation.guides"}),
}

"""A target without a fault, as small as every check needs it; each call makes it anew, so that a test may plant one."""

from pathlib import Path
from typing import Any

from sluice.promotion.ledger import Entry, State, append
from sluice.promotion.model import Target
from sluice.promotion.targets import load_targets
from sluice.readiness.snapshot import (
    Alertmanager,
    Charts,
    Cluster,
    Ledger,
    Loki,
    Prometheus,
    Rule,
    Scraped,
    Snapshot,
    Tree,
)

ROOT = Path(__file__).parents[3]
NOW = 1_800_000_000.0
GKE: Target = load_targets(ROOT)["gke"]
IMAGE = "r.example.org/sluice/{}@sha256:" + 64 * "a"
RUNBOOK = "Something to look at, and what to do about it. " * 10
Object = dict[str, Any]
_WHOLE: tuple[State, ...] = ("planned", "copied", "deployed", "verified")


def good() -> Snapshot:
    """Everything as production asks for it, of a system of two services."""
    pages = {
        "docs/promotion.md": "# Promotion and how to roll back\n./nox -s deploy -- --cloud gke\n",
        "docs/incident.md": "# An incident\n## Scaling\n## Troubleshooting by symptom\n",
        "docs/disaster.md": "# Disaster recovery\n",
        "helm/monitoring/runbooks/ApiDown.md": RUNBOOK,
    }
    slos = {"api": ("availability",), "mail": ("latency",)}
    return Snapshot(
        NOW, GKE, Tree(("api", "mail"), slos, pages), _charts(), _cluster(), *_answers(), ledger=Ledger(_entries())
    )


def _answers() -> tuple[Prometheus, Alertmanager, Loki]:
    scraped = tuple(Scraped(name, "default", "up") for name in ("api", "mail"))
    rules = (Rule("slo-api", "a", "ok"), Rule("slo-mail", "b", "ok"))
    numbers = {
        "firing": {},
        "volumes": {"data": 0.5},
        "memory": {"api": 0.6},
        "budgets": {"api": 0.9},
        "client_certificates": {"apiserver": 200 * 86_400.0},
    }
    receivers = [{"name": "on-call", "pagerduty_configs": [{}]}, {"name": "nobody"}]
    quiet = {"matchers": ['severity=~"info|none"'], "receiver": "nobody"}
    route = {"receiver": "on-call", "routes": [{"matchers": ['severity="critical"']}, quiet]}
    loki = {
        "compactor": {"retention_enabled": True},
        "limits_config": {"retention_period": "30d"},
        "common": {"replication_factor": 3},
    }
    return (
        Prometheus(scraped, rules, "31d or 40GiB", numbers),
        Alertmanager({"route": route, "receivers": receivers}, frozenset({"Watchdog"}), 2),
        Loki(frozenset({"namespace", "service", "pod", "container", "level"}), {"api": 5.0, "mail": 1.0}, loki),
    )


def _entries() -> tuple[Entry, ...]:
    entries: tuple[Entry, ...] = ()
    for name in ("one", "two"):
        for state in _WHOLE:
            entries = append(entries, Entry(0, NOW, "gke", name, f"sha256:{name}", name, state, "Ada"))
    return entries


def _charts() -> Charts:
    rule = {
        "alert": "ApiDown",
        "labels": {"severity": "critical"},
        "annotations": {"summary": "s", "runbook_url": "https://x/helm/monitoring/runbooks/ApiDown.md"},
    }
    dashboard = _object("ConfigMap", "dashboard-a", data={"a.json": "{}"})
    dashboard["metadata"]["labels"]["grafana_dashboard"] = "1"
    role = _object("ClusterRole", "reader", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
    prometheus = {**_pod("prometheus"), "image": IMAGE.format("prometheus"), "podMetadata": {"labels": _labels("p")}}
    prometheus |= {"resources": _resources(), "storage": {"volumeClaimTemplate": {"spec": {}}}}
    prometheus["podMetadata"]["labels"]["app.kubernetes.io/name"] = "prometheus"
    prometheus["containers"] = [{"name": "prometheus"}, {"name": "config-reloader", "image": "not ours"}]
    monitoring = [
        _object("Prometheus", "k8s", spec=prometheus),
        _policy("prometheus"),
        _object("PrometheusRule", "rules", spec={"groups": [{"name": "g", "rules": [rule, {"record": "r"}]}]}),
        dashboard,
        role,
    ]
    agent = {**_pod("collector"), "volumes": [{"name": "logs", "hostPath": {"path": "/var/log/pods"}}]}
    agent["containers"][0]["volumeMounts"] = [{"name": "logs", "mountPath": "/logs", "readOnly": True}]
    template = {"metadata": {"labels": _labels("collector")}, "spec": agent}
    logging = [_object("DaemonSet", "collector", spec={"template": template}), _policy("collector")]
    values: dict[str, Object] = {
        "monitoring": {"alertmanager": {"unattended": False}},
        "logging": {"loki": {"objectStorage": {"type": "gcs"}}},
    }
    manifests = {name: _service(name) for name in ("api", "mail")}
    return Charts({"monitoring": monitoring, "logging": logging, **manifests}, values)


def _service(name: str) -> list[Object]:
    pod = _pod(name)
    pod["containers"][0] |= {"ports": [{"containerPort": 8000}], "readinessProbe": {}, "livenessProbe": {}}
    pod["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
    pod |= {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 40,
        "topologySpreadConstraints": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": _labels(name)}}
        ],
    }
    variables = {"DATABASE_HOST": "db", "DATABASE_NAME": name, "DATABASE_USER": name}
    variables |= {"DATABASE_SSLMODE": "require", "DATABASE_PASSWORD_FILE": "/etc/secrets/password"}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}
    template = {"metadata": {"labels": _labels(name)}, "spec": pod}
    aim = {"kind": "Deployment", "name": name}
    selector = {"matchLabels": _labels(name)}
    return [
        _object("Deployment", name, spec={"strategy": strategy, "template": template}),
        _object("HorizontalPodAutoscaler", name, spec={"scaleTargetRef": aim, "minReplicas": 2, "maxReplicas": 4}),
        _object("PodDisruptionBudget", name, spec={"maxUnavailable": 1, "selector": selector}),
        _object("Service", name, spec={"selector": _labels(name), "ports": [{"port": 8000}]}),
        _object("ServiceMonitor", name, spec={"selector": selector}),
        _object("ConfigMap", name, data=variables),
        _object("ConfigMap", f"{name}-sidecar", data={"a.yaml": "b"}),
        _policy(name),
    ]


def _policy(name: str) -> Object:
    peers: list[Object] = [{"podSelector": {}}]
    spec = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": peers}],
        "egress": [{"to": peers}],
    }
    return _object("NetworkPolicy", name, spec=spec)


def _pod(name: str) -> Object:
    container = {
        "name": name,
        "image": IMAGE.format(name),
        "resources": _resources(),
        "securityContext": {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    context = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"serviceAccountName": name, "securityContext": context, "containers": [container]}


def _resources() -> Object:
    return {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "service": name}


def _object(kind: str, name: str, **more: Any) -> Object:
    return {"kind": kind, "metadata": {"name": name, "labels": _labels(name)}, **more}


def _cluster() -> Cluster:
    ready = [{"type": "Ready", "status": "True"}]
    room = {"cpu": "4", "memory": "8Gi"}
    nodes = [{"metadata": {"name": name}, "status": {"conditions": ready, "allocatable": dict(room)}} for name in "ab"]
    running = _pod("api") | {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
    status = {"phase": "Running", "conditions": ready, "containerStatuses": [{"state": {"running": {}}}]}
    pod = {"metadata": {"namespace": "default", "name": "api-1"}, "spec": running, "status": status}
    backup = _in("default", "backup", spec={"schedule": "0 3 * * *"})
    backup["metadata"]["labels"] = {"app.kubernetes.io/component": "backup"}
    backup["status"] = {"lastSuccessfulTime": "2027-01-15T03:00:00Z"}  # NOW is five hours later
    enforced = {"pod-security.kubernetes.io/enforce": "baseline"}
    claimed = {"persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "default"}}
    quota = _in("default", "all", spec={"hard": {"requests.cpu": "4"}}, status={"used": {"requests.cpu": "100m"}})
    slices = _in("default", "api-x", endpoints=[{"conditions": {"ready": True}}])
    slices["metadata"]["labels"] = {"kubernetes.io/service-name": "api"}
    entry = {"hosts": ["api.example.org"], "secretName": "tls"}
    objects: dict[str, list[Object]] = {
        "nodes": nodes,
        "namespaces": [{"metadata": {"name": "default", "labels": enforced}}],
        "pods": [pod],
        "persistentvolumes": [{"metadata": {"name": "pv"}, "spec": claimed, "status": {"phase": "Bound"}}],
        "persistentvolumeclaims": [_in("default", "data", status={"phase": "Bound"})],
        "deployments": [_in("kube-system", "kube-dns", status={"readyReplicas": 2})],
        "daemonsets": [_in("logging", "collector", status={"numberReady": 2})],
        "resourcequotas": [quota],
        "services": [_in("default", "api", spec={"selector": _labels("api")})],
        "endpointslices": [slices],
        "cronjobs": [backup],
        "ingresses": [_in("default", "api", spec={"rules": [{"host": "api.example.org"}], "tls": [entry]})],
    }
    return Cluster(objects, {"default/tls": NOW + 60 * 86_400}, metrics_api=True)


def _in(namespace: str, name: str, **more: Any) -> Object:
    return {"metadata": {"namespace": namespace, "name": name}, **more}

"""Further faults: the other ways in which items fail, and what they say."""

from collections.abc import Sequence
from dataclasses import replace
from math import nan

from tests.unit.readiness.faults import (
    Fault,
    alertmanager,
    container,
    drop,
    ledger,
    loki,
    number,
    of_chart,
    on_cluster,
    pod,
    prometheus,
    put,
    spec,
    take,
    target,
)
from tests.unit.readiness.good import NOW

from sluice.readiness.snapshot import Scraped, Snapshot


def _without(plural: str) -> Fault:
    return lambda s: replace(s, cluster=replace(s.cluster, objects={**s.cluster.objects, plural: []}))


def _certificates(**values: float | None) -> Fault:
    return lambda s: replace(s, cluster=replace(s.cluster, certificates=values))


def _one_node(snapshot: Snapshot) -> Snapshot:
    objects = {**snapshot.cluster.objects, "nodes": snapshot.cluster.objects["nodes"][:1]}
    return replace(snapshot, cluster=replace(snapshot.cluster, objects=objects))


def _route(**values: object) -> Fault:
    return lambda s: s.alertmanager.config["route"]["routes"][0].update(values)


def _only_elsewhere(snapshot: Snapshot) -> Snapshot:
    """The monitoring has no policy, and one of the services' namespace selects its labels."""
    snapshot = drop("monitoring", "NetworkPolicy")(snapshot) or snapshot
    spec(snapshot, "NetworkPolicy")["podSelector"] = {}
    return snapshot


def _role_of_secrets(snapshot: Snapshot, namespace: str) -> None:
    """A Role of the monitoring's that reads the Secrets of a namespace."""
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    role = {"kind": "Role", "metadata": {"name": "operator", "namespace": namespace}, "rules": [rule]}
    snapshot.charts.manifests["monitoring"].append(role)  # type: ignore[attr-defined]


def _moved(path: str) -> Fault:
    """The page on incidents stands somewhere else."""
    return lambda s: s.tree.pages.update({path: s.tree.pages.pop("docs/incident.md")})  # type: ignore[attr-defined]


def _sidecar(snapshot: Snapshot) -> None:
    beside = {**container(snapshot), "name": "daprd", "restartPolicy": "Always"}
    del beside["readinessProbe"]
    pod(snapshot)["initContainers"] = [beside]


def _scraped(*scraped: Scraped) -> Fault:
    return lambda s: prometheus(scraped=(s.prometheus.scraped[1], *scraped))(s)


# The item, the fault, and a part of what has to be said.
MORE: Sequence[tuple[str, Fault, str]] = (
    (
        "security.non-root",
        put(lambda s: container(s)["securityContext"], runAsUser=0),
        "api Deployment/api api: runAsUser 0",
    ),
    ("security.non-root", take(lambda s: pod(s)["securityContext"], "runAsNonRoot"), "runAsNonRoot None"),
    ("security.no-privileges", put(lambda s: container(s)["securityContext"], privileged=True), "privileged"),
    (
        "security.no-privileges",
        take(lambda s: container(s)["securityContext"], "allowPrivilegeEscalation"),
        "may gain rights",
    ),
    ("security.no-privileges", take(lambda s: container(s)["securityContext"], "capabilities"), "keeps its"),
    ("security.host", put(pod, hostPID=True), "hostPID is set"),
    ("security.host", put(pod, hostNetwork=True), "hostNetwork is set"),
    ("security.host", put(lambda s: pod(s, "logging", "DaemonSet"), hostIPC=True), "hostIPC is set"),
    ("security.host", put(pod, volumes=[{"name": "x", "hostPath": {"path": "/etc"}}]), "mounts /etc of its node"),
    ("security.own-account", take(pod, "serviceAccountName"), "default ServiceAccount"),
    ("security.own-account", take(pod, "automountServiceAccountToken"), "has a token"),
    (
        "security.least-rights",
        put(lambda s: of_chart(s, "monitoring", "ClusterRole"), roleRef={"name": "cluster-admin"}),
        "binds cluster-admin",
    ),
    (
        "security.least-rights",
        put(lambda s: of_chart(s, "monitoring", "ClusterRole")["rules"][0], resources=["secrets"]),
        "get every Secret",
    ),
    (
        "security.least-rights",
        lambda s: _role_of_secrets(s, "default"),
        "monitoring Role/operator: get every Secret",
    ),
    (
        "security.no-plain-secrets",
        put(container, env=[{"name": "API_KEY", "value": "abc"}]),
        "API_KEY stands there in plain text",
    ),
    ("security.admission", _without("namespaces"), "there is no namespace of the services"),
    (
        "reliability.replicas",
        put(lambda s: spec(s, "HorizontalPodAutoscaler"), minReplicas=1),
        "api Deployment/api: 1 pod at the least",
    ),
    ("reliability.replicas", take(lambda s: spec(s, "HorizontalPodAutoscaler"), "minReplicas"), "api Deployment/api"),
    ("reliability.probes", _sidecar, "api Deployment/api daprd: no readinessProbe"),
    ("reliability.disruption", take(lambda s: spec(s, "PodDisruptionBudget"), "selector"), "no PodDisruptionBudget"),
    (
        "reliability.disruption",
        put(lambda s: spec(s, "PodDisruptionBudget")["selector"], matchExpressions=[{"key": "a"}]),
        "no PodDisruptionBudget",
    ),
    ("reliability.disruption", put(lambda s: spec(s, "PodDisruptionBudget"), selector={}), "2 PodDisruptionBudgets"),
    ("observability.scraped", _scraped(Scraped("api", "other", "up")), "api: nothing of it is scraped"),
    ("observability.scraped", _scraped(Scraped("api", "default", "down")), "api: nothing of it is scraped"),
    ("reliability.replicas", drop("api", "HorizontalPodAutoscaler"), "1 pod at the least"),
    ("reliability.disruption", drop("api", "PodDisruptionBudget"), "no PodDisruptionBudget"),
    (
        "reliability.spread",
        put(lambda s: pod(s)["topologySpreadConstraints"][0], labelSelector={"matchLabels": {"a": "b"}}),
        "nothing spreads",
    ),
    ("reliability.graceful", take(container, "lifecycle"), "no preStop"),
    ("reliability.rolling", put(lambda s: spec(s, "Deployment"), strategy={"type": "Recreate"}), "strategy Recreate"),
    ("reliability.nodes", _one_node, "one node"),
    (
        "reliability.pods",
        put(
            lambda s: on_cluster(s, "pods")["status"]["containerStatuses"][0],
            state={"waiting": {"reason": "CrashLoopBackOff"}},
        ),
        "default/api-1: CrashLoopBackOff",
    ),
    ("observability.budgets", number("budgets", api=nan), "api: nan%"),
    ("alerting.routes", _route(receiver="nobody"), 'severity="critical": its receiver nobody sends to nobody'),
    (
        "alerting.routes",
        _route(receiver="nobody", matchers=['severity=~"critical|info"']),
        'severity=~"critical|info": its receiver nobody',
    ),
    ("alerting.routes", _route(receiver="nobody", matchers=['team="info"']), 'team="info": its receiver nobody'),
    ("alerting.routes", alertmanager(config={}), "there is no route"),
    ("alerting.runbooks", put(lambda s: _rule(s)["annotations"], runbook_url=""), "no runbook"),
    ("logging.labels", loki(labels=frozenset({"namespace"})), "no label service"),
    ("logging.retention", lambda s: s.loki.config["limits_config"].update(retention_period="72h"), "for 3 days"),
    ("logging.retention", lambda s: s.loki.config["limits_config"].update(retention_period="soon"), "for 0 days"),
    ("logging.retention", loki(config={}), "nothing is ever deleted"),
    ("capacity.requests", lambda s: container(s)["resources"].pop("requests") and None, "no request of cpu"),
    ("capacity.autoscaled", drop("api", "HorizontalPodAutoscaler"), "no autoscaler"),
    ("capacity.one-node-less", _without("nodes"), "no node"),
    (
        "capacity.one-node-less",
        put(
            lambda s: on_cluster(s, "pods")["spec"],
            initContainers=[{"restartPolicy": "Always", "resources": {"requests": {"memory": "9Gi"}}}],
        ),
        "memory: ",
    ),
    ("capacity.one-node-less", _without("pods"), "no pod that requests anything"),
    ("capacity.grown", _without("nodes"), "no node"),
    ("logging.stored", drop("logging", "DaemonSet"), "there is no chart logging"),
    ("capacity.one-node-less", _one_node, "without the largest node"),
    ("capacity.bounded", _without("resourcequotas"), "there is no ResourceQuota in default"),
    ("capacity.volumes", number("volumes"), "there is no volume that is measured"),
    ("data.backed-up", put(lambda s: on_cluster(s, "cronjobs"), status={}), "never succeeded"),
    ("data.backed-up", put(lambda s: on_cluster(s, "cronjobs")["spec"], suspend=True), "is suspended"),
    ("data.backed-up", put(lambda s: on_cluster(s, "cronjobs")["metadata"], labels={}), "there is no CronJob"),
    ("deployment.by-digest", put(container, args=["--prometheus-config-reloader=x:v1"]), "runs x:v1"),
    ("deployment.verified", ledger(entries=()), "no release was ever verified here"),
    ("deployment.no-drift", ledger(entries=()), "no release to compare with"),
    ("deployment.way-back", ledger(back=("its release cannot be checked: gone",)), "gone"),
    ("deployment.guarded", target(windows=()), "no [[window]]"),
    ("deployment.guarded", target(accept="warn"), "accept is warn"),
    ("deployment.tried-first", target(strategy="rolling", after=("local",), soak_seconds=0), "strategy rolling"),
    ("networking.policies", _only_elsewhere, "monitoring Prometheus/k8s: no NetworkPolicy"),
    ("documentation.guides", _moved("docs/decisions/incident.md"), "an incident: no page"),
    ("documentation.guides", _moved("docs/production-readiness.md"), "an incident: no page"),
    ("documentation.guides", _moved("incident.md"), "an incident: no page"),
    (
        "documentation.runbooks",
        put(lambda s: _rule(s)["annotations"], runbook_url=""),
        "no page helm/monitoring/runbooks/ApiDown.md",
    ),
    ("networking.policies", drop("monitoring", "NetworkPolicy"), "bounds its egress and ingress"),
    (
        "networking.not-wide-open",
        put(lambda s: spec(s, "NetworkPolicy"), ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]),
        "ingress of everybody",
    ),
    ("networking.not-exposed", put(lambda s: spec(s, "Service"), externalIPs=["192.0.2.1"]), "type ClusterIP"),
    ("networking.tls", put(lambda s: on_cluster(s, "ingresses"), spec={"defaultBackend": {}}), "any host"),
    ("networking.certificates", _certificates(x=None), "no certificate that could be read"),
    ("networking.certificates", _certificates(x=NOW - 1), "is over"),
    ("networking.certificates", number("client_certificates", apiserver=nan), "a client of apiserver"),
    (
        "networking.certificates",
        lambda s: number("client_certificates")(_certificates()(s) or s),
        "no certificate is known",
    ),
    ("networking.dns", _without("deployments"), "there is no DNS server"),
    ("cost.used", number("memory", api=nan), "uses nan%"),
    ("cost.metrics-bounded", prometheus(retention="10GiB"), "no retention by time"),
    ("cost.volumes-used", put(lambda s: on_cluster(s, "pods")["spec"], volumes=[]), "no pod has it mounted"),
    ("documentation.runbooks", lambda s: s.tree.pages.update({_PAGE: "soon"}), "says nothing"),  # type: ignore[attr-defined]
)
_PAGE = "helm/monitoring/runbooks/ApiDown.md"


def _rule(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = spec(snapshot, "PrometheusRule", "monitoring")["groups"][0]["rules"][0]
    return found


def _job(snapshot: Snapshot, **more: object) -> None:
    done = {**on_cluster(snapshot, "pods"), "status": {"phase": "Succeeded", "conditions": []}, **more}
    snapshot.cluster.objects["pods"].append(done)  # type: ignore[attr-defined]


def _elsewhere(snapshot: Snapshot) -> None:
    _job(snapshot, metadata={"namespace": "theirs", "name": "a"}, status={"phase": "Pending"})


def _operator(snapshot: Snapshot) -> None:
    one = {**of_chart(snapshot, "api", "Deployment"), "metadata": {"name": "operator"}}
    snapshot.charts.manifests["monitoring"].append(one)  # type: ignore[attr-defined]


def _cron(snapshot: Snapshot) -> None:
    template = of_chart(snapshot, "api", "Deployment")["spec"]["template"]
    one = {
        "kind": "CronJob",
        "metadata": {"name": "nightly"},
        "spec": {"jobTemplate": {"spec": {"template": template}}},
    }
    snapshot.charts.manifests["api"].append(one)  # type: ignore[attr-defined]


def _migration(snapshot: Snapshot) -> None:
    first = {**container(snapshot), "name": "migrate"}
    del first["readinessProbe"]
    pod(snapshot)["initContainers"] = [first]


def _agent_of_the_node(snapshot: Snapshot) -> Snapshot:
    snapshot = drop("logging", "NetworkPolicy")(snapshot) or snapshot
    pod(snapshot, "logging", "DaemonSet")["hostNetwork"] = True
    return snapshot


# What is no fault of an item, however it looks.
FINE: Sequence[tuple[str, Fault]] = (
    ("networking.certificates", _certificates()),
    ("networking.certificates", number("client_certificates")),
    ("networking.tls", _without("ingresses")),
    ("networking.policies", _agent_of_the_node),
    ("security.least-rights", lambda s: _role_of_secrets(s, "monitoring")),
    ("reliability.pods", _job),
    ("reliability.pods", _elsewhere),
    ("reliability.graceful", take(pod, "terminationGracePeriodSeconds")),
    ("reliability.probes", _migration),
    ("reliability.replicas", _operator),
    ("reliability.replicas", _cron),
    ("reliability.spread", lambda s: put(pod, affinity={"podAntiAffinity": {"x": 1}})(s)),
    ("deployment.tried-first", target(strategy="rolling", after=("local",), soak_seconds=60)),
    ("security.seccomp", put(lambda s: container(s)["securityContext"], seccompProfile={"type": "Localhost"})),
    ("security.host", put(lambda s: pod(s, "logging", "DaemonSet"), hostNetwork=True)),
    ("security.no-plain-secrets", put(container, env=[{"name": "TOKEN_FILE", "value": "/x"}, {"name": "API_KEY"}])),
    ("logging.labels", lambda s: loki(labels=s.loki.labels | {"service_name", "__stream_shard__"})(s)),
    ("capacity.one-node-less", _job),
    (
        "capacity.one-node-less",
        put(
            lambda s: on_cluster(s, "pods")["spec"],
            initContainers=[{"resources": {"requests": {"memory": "9Gi"}}}],
        ),
    ),
)

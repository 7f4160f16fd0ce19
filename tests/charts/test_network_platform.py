"""The network policies of monitoring and logging: what each component needs is let through, and nothing else is."""

from collections.abc import Iterator
from typing import Any

import pytest

from .policy import Workload, workloads
from .rendering import NAMESPACES, PROFILES, SERVICE_CHARTS, Helm, Manifest, of_kind

# What a chart may have besides.
EVERYTHING = {"monitoring": ("--set", "grafana.enabled=true"), "logging": ()}
ALLOY = ("--set", "collector=alloy")
# Who calls whom, at which port of the pod, as namespace/app.
NEEDED = [
    ("monitoring/prometheus", "monitoring/alertmanager", 9093),
    ("monitoring/prometheus", "default/backend", 8000),
    ("monitoring/prometheus", "kube-system/coredns", 9153),
    ("monitoring/prometheus-adapter", "monitoring/prometheus", 9090),
    ("monitoring/grafana", "monitoring/prometheus", 9090),
    ("monitoring/grafana", "logging/loki", 3100),
    ("monitoring/backup-prometheus", "monitoring/prometheus", 9090),
    ("monitoring/alertmanager", "monitoring/alertmanager", 9094),
    ("logging/loki", "monitoring/alertmanager", 9093),
    ("logging/promtail", "logging/loki", 3100),
]
REFUSED = [
    ("default/backend", "monitoring/prometheus", 9090),  # its admin API deletes series, where it is on
    ("default/backend", "monitoring/alertmanager", 9093),
    ("default/backend", "logging/loki", 3100),
    ("default/backend", "logging/promtail", 3101),
    ("logging/promtail", "monitoring/alertmanager", 9093),
    ("logging/loki", "monitoring/prometheus", 9090),
    ("monitoring/alertmanager", "monitoring/prometheus", 9090),
    ("monitoring/kube-state-metrics", "monitoring/prometheus", 9090),
    ("monitoring/prometheus-operator", "logging/loki", 3100),
    ("monitoring/prometheus", "monitoring/alertmanager", 9094),
]


def platform(helm: Helm, profile: str = "local") -> list[Manifest]:
    return [one for chart in NAMESPACES for one in helm.manifests(chart, profile, *EVERYTHING[chart])]


def may_call(manifests: list[Manifest], caller: str, called: str, port: int) -> bool:
    """Whether policies of the platform let one pod call another: the one's egress and the other's ingress."""
    for pod, other, way, key in ((caller, called, "egress", "to"), (called, caller, "ingress", "from")):
        space, app = pod.split("/")
        own = [
            one["spec"]
            for one in of_kind(manifests, "NetworkPolicy")
            if one["metadata"]["namespace"] == space
            and one["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": app}
        ]
        if own and not any(_matches(rule, key, space, other, port) for one in own for rule in one.get(way) or ()):
            return False
    return True


def _matches(rule: dict[str, Any], key: str, space: str, other: str, port: int) -> bool:
    if "ports" in rule and port not in {one["port"] for one in rule["ports"]}:
        return False
    return key not in rule or any(_is(peer, space, other) for peer in rule[key])


def _is(peer: dict[str, Any], space: str, other: str) -> bool:
    namespace, app = other.split("/")
    spaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    if spaces is None and pods is None:
        return False  # a block of addresses, which is nobody's pod
    there = namespace == space if spaces is None else _selects(spaces, {"kubernetes.io/metadata.name": namespace})
    return there and (pods is None or _selects(pods, {"app.kubernetes.io/name": app}))


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def guarded(manifests: list[Manifest]) -> dict[str, set[str]]:
    """Each workload that is not of its node's network, with the directions that a policy of its own bounds."""
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(manifests, "NetworkPolicy")}

    def ways(workload: Workload) -> Iterator[str]:
        for spec in policies.values():
            if spec["podSelector"]["matchLabels"].items() <= workload.labels.items():
                yield from spec["policyTypes"]

    return {one.name: set(ways(one)) for one in workloads(manifests) if not one.pod.get("hostNetwork")}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_component_is_refused_by_default(helm: Helm, profile: str) -> None:
    for chart, extra in (*EVERYTHING.items(), ("logging", ALLOY)):
        found = guarded(helm.manifests(chart, profile, *extra))
        assert found, chart
        assert {name for name, ways in found.items() if ways != {"Ingress", "Egress"}} == set(), chart


@pytest.mark.parametrize("profile", PROFILES)
def test_nobody_is_let_in_without_a_name_and_a_port(helm: Helm, profile: str) -> None:
    for policy in of_kind(platform(helm, profile), "NetworkPolicy"):
        assert all(rule["from"] and rule["ports"] for rule in policy["spec"]["ingress"])


@pytest.mark.parametrize(("caller", "called", "port"), NEEDED)
def test_what_components_need_is_let_through(helm: Helm, caller: str, called: str, port: int) -> None:
    assert may_call(platform(helm), caller, called, port)


@pytest.mark.parametrize(("caller", "called", "port"), REFUSED)
def test_what_nobody_needs_is_refused(helm: Helm, caller: str, called: str, port: int) -> None:
    assert not may_call(platform(helm), caller, called, port)


def test_prometheus_may_scrape_all_that_monitors_name(helm: Helm) -> None:
    manifests = [*platform(helm), *(one for chart in SERVICE_CHARTS for one in helm.manifests(chart, "local"))]
    ports = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): _pod_ports(one, manifests)
        for one in of_kind(manifests, "Service")
    }
    asked = 0
    for monitor in of_kind(manifests, "ServiceMonitor"):
        space, name = monitor["metadata"]["namespace"], monitor["metadata"]["name"]
        if (space, name) not in ports or name == "node-exporter":
            continue  # of the cluster itself, or of the nodes' network
        for endpoint in monitor["spec"]["endpoints"]:
            port = ports[space, name][endpoint["port"]]
            assert may_call(manifests, "monitoring/prometheus", f"{space}/{name}", port), (name, port)
            asked += 1
    assert asked > 2 * len(SERVICE_CHARTS)


def _pod_ports(service: Manifest, manifests: list[Manifest]) -> dict[str, int]:
    """Each port of a Service with the number that it has in the pods behind it."""
    name = service["metadata"]["name"]
    given: dict[str, int] = {}
    for one in workloads(manifests):
        for container in (*one.containers, *one.init_containers) if one.name == name else ():
            given |= {port["name"]: port["containerPort"] for port in container.get("ports", ()) if len(port) > 1}
    operated = {"web": 9093 if name == "alertmanager" else 9090, "reloader-web": 8080}
    targets = {port["name"]: port.get("targetPort", port["port"]) for port in service["spec"]["ports"]}
    return {key: to if isinstance(to, int) else ({**operated, **given}[to]) for key, to in targets.items()}


def test_the_nodes_and_the_api_server_are_reached(helm: Helm) -> None:
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in ("172.16.0.0/12", "192.168.0.0/16")]
    server = {"to": blocks, "ports": [{"port": 443}, {"port": 6443}]}
    rules = {one["metadata"]["name"]: one["spec"]["egress"] for one in of_kind(platform(helm), "NetworkPolicy")}
    asking = {name for name, egress in rules.items() if server in egress}
    theirs = {"prometheus", "prometheus-operator", "kube-state-metrics", "metrics-server", "prometheus-adapter"}
    assert asking == {*theirs, "promtail"}
    assert {"to": blocks, "ports": [{"port": 9100}, {"port": 10250}]} in rules["prometheus"]
    assert {"to": blocks, "ports": [{"port": 10250}]} in rules["metrics-server"]
    assert all(rule.get("to") for egress in rules.values() for rule in egress)


def test_on_a_cloud_the_api_server_asks_and_receivers_and_buckets_are_reached(helm: Helm) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(platform(helm, "gke"), "NetworkPolicy")}
    agents = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    assert all(any(agents in rule["from"] for rule in spec["ingress"]) for spec in policies.values())
    assert {"ports": [{"port": 443}]} in policies["kube-state-metrics"]["egress"]  # where it is, we do not know
    for name in ("alertmanager", "loki"):
        outside = [rule for rule in policies[name]["egress"] if "0.0.0.0/0" in str(rule.get("to"))]
        assert [rule["ports"] for rule in outside] == [[{"port": 443}]]
        assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(outside[0]["to"][0]["ipBlock"]["except"])
    assert may_call(platform(helm, "gke"), "logging/loki", "logging/loki", 7946)


def test_the_suites_receivers_are_reached(helm: Helm) -> None:
    values = ("--values", "tests/e2e/values/monitoring.yaml")
    manifests = helm.manifests("monitoring", "local", *values)
    for port in (8080, 2525):
        assert may_call(manifests, "monitoring/alertmanager", "monitoring/alert-receivers", port)
        assert not may_call(platform(helm), "monitoring/alertmanager", "monitoring/alert-receivers", port)


def test_alerts_that_the_policy_would_keep_from_everybody_are_refused(helm: Helm) -> None:
    result = helm.try_template("monitoring", "gke", "--set", "networkPolicy.receivers=null")
    assert result.returncode != 0
    assert "networkPolicy.receivers = {}" in result.stderr
    off = helm.manifests("monitoring", "gke", "--set", "networkPolicy.receivers=null,networkPolicy.enabled=false")
    assert of_kind(off, "NetworkPolicy") == []

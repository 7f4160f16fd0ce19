"""Names meet: Services find pods and ports, monitors find Services and ports, mounts find their volumes."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from .policy import workloads
from .rendering import (
    CHARTS,
    REPOSITORY,
    SERVICE_CHARTS,
    Helm,
    chart_values,
    fixture_manifests,
    library_defaults,
    of_kind,
)

# Ports of the pods that the operator makes, and the labels that it gives them.
OPERATED = {
    "prometheus": (
        {"web", "reloader-web"},
        {"app.kubernetes.io/name": "prometheus", "operator.prometheus.io/name": "k8s"},
    ),
    "alertmanager": (
        {"web", "reloader-web"},
        {"app.kubernetes.io/name": "alertmanager", "alertmanager": "main"},
    ),
}
OUTSIDE = {"kubelet", "apiserver"}  # monitors of Services that Kubernetes and the operator keep
STABLE_NAMES = {
    "monitoring": {
        ("prometheus", 9090),
        ("alertmanager", 9093),
        ("kube-state-metrics", 8080),
        ("node-exporter", 9100),
        ("prometheus-operator", 8080),
    },
    "logging": {("loki", 3100)},
} | {chart: {(chart, 8000), (chart, 9090)} for chart in SERVICE_CHARTS}


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


@pytest.mark.parametrize("chart", CHARTS)
def test_every_service_finds_its_pods_and_their_ports(helm: Helm, chart: str) -> None:
    manifests = helm.manifests(chart, "local")
    pods = {
        workload.name: (
            {port["name"] for container in workload.lasting for port in container.get("ports", ())},
            workload.labels,
        )
        for workload in workloads(manifests)
    } | (OPERATED if chart == "monitoring" else {})
    for service in of_kind(manifests, "Service"):
        found = [ports for ports, labels in pods.values() if matches(service["spec"]["selector"], labels)]
        assert len(found) == 1, f"the Service {service['metadata']['name']} selects {len(found)} workloads"
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= found[0]


@pytest.mark.parametrize("chart", CHARTS)
def test_every_monitor_finds_a_service_and_its_port(helm: Helm, chart: str) -> None:
    manifests = helm.manifests(chart, "local")
    services = of_kind(manifests, "Service")
    for monitor in of_kind(manifests, "ServiceMonitor"):
        name = monitor["metadata"]["name"]
        if name in OUTSIDE:
            continue
        selector = monitor["spec"]["selector"]["matchLabels"]
        found = [service for service in services if matches(selector, service["metadata"]["labels"])]
        assert [service["metadata"]["name"] for service in found] == [name]
        ports = {port["name"] for port in found[0]["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports


@pytest.mark.parametrize("chart", CHARTS)
def test_every_mount_has_its_volume_and_every_account_exists(helm: Helm, chart: str) -> None:
    manifests = helm.manifests(chart, "local")
    accounts = {manifest["metadata"]["name"] for manifest in of_kind(manifests, "ServiceAccount")}
    claims = {
        claim["metadata"]["name"]
        for manifest in of_kind(manifests, "StatefulSet")
        for claim in manifest["spec"].get("volumeClaimTemplates", ())
    }
    for workload in workloads(manifests):
        assert workload.pod["serviceAccountName"] in accounts
        volumes = {volume["name"] for volume in workload.pod.get("volumes", ())} | claims
        for container in (*workload.containers, *workload.init_containers):
            assert {mount["name"] for mount in container.get("volumeMounts", ())} <= volumes


@pytest.mark.parametrize("chart", sorted(STABLE_NAMES))
def test_the_names_that_suites_and_dashboards_use_are_there(helm: Helm, chart: str) -> None:
    found = {
        (service["metadata"]["name"], port["port"])
        for service in of_kind(helm.manifests(chart, "local"), "Service")
        for port in service["spec"]["ports"]
    }
    assert STABLE_NAMES[chart] <= found


def test_prometheus_takes_the_monitors_and_rules_of_every_namespace(helm: Helm) -> None:
    spec = of_kind(helm.manifests("monitoring", "local"), "Prometheus")[0]["spec"]
    for kind in ("serviceMonitor", "podMonitor", "rule", "probe"):
        assert spec[f"{kind}Selector"] == {}
        assert spec[f"{kind}NamespaceSelector"] == {}


def test_every_rule_file_becomes_a_prometheus_rule(helm: Helm) -> None:
    files = {path.stem for path in (helm.charts / "monitoring" / "rules").glob("*.yaml")}
    manifests = helm.manifests("monitoring", "local", "--set", "rules.runbookBaseUrl=https://example.org/main/")
    rules = of_kind(manifests, "PrometheusRule")
    assert {rule["metadata"]["name"] for rule in rules} == files
    for rule in rules:
        for group in rule["spec"]["groups"]:
            for alert in (each for each in group["rules"] if "alert" in each):
                address = alert["annotations"]["runbook_url"]
                assert address == f"https://example.org/main/helm/monitoring/runbooks/{alert['alert']}.md"


def test_a_changed_environment_makes_new_pods(helm: Helm) -> None:
    def checksum(*arguments: str) -> str:
        deployment = of_kind(helm.manifests("backend", "local", *arguments), "Deployment")[0]
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/environment"])

    assert checksum() == checksum()
    assert checksum() != checksum("--set", "faults.enabled=true")


def test_without_the_operators_crds_logging_has_no_monitors(helm: Helm) -> None:
    manifests = helm.manifests("logging", "local", "--set", "serviceMonitor.enabled=false")
    assert of_kind(manifests, "ServiceMonitor") == []
    assert of_kind(manifests, "StatefulSet")


def test_the_sidecars_components_are_where_the_charts_look_for_them() -> None:
    """The ConfigMap that the charts mount, the component that the services publish to, the broker that is opened."""
    folder = REPOSITORY / "k8s-fixtures" / "dapr"
    defaults = library_defaults()["dapr"]
    (generated,) = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["configMapGenerator"]
    assert generated["name"] == defaults["components"]
    assert generated["options"] == {"disableNameSuffixHash": True}
    assert sorted(generated["files"]) == sorted(f"components/{path.name}" for path in (folder / "components").iterdir())
    components = [each for path, each in fixture_manifests() if path.startswith("k8s-fixtures/dapr/components/")]
    assert {each["apiVersion"] for each in components} == {"dapr.io/v1alpha1"}
    pubsub = next(each for each in components if each["metadata"]["name"] == defaults["pubsub"])
    settings = {item["name"]: item["value"] for item in pubsub["spec"]["metadata"]}
    host, _, port = settings["brokers"].partition(":")
    assert defaults["peer"] == {"app": host, "ports": [int(port)]}


def test_the_database_is_the_pods_that_the_network_policies_open() -> None:
    database = library_defaults()["database"]
    services = {each["metadata"]["name"]: each for _, each in fixture_manifests() if each["kind"] == "Service"}
    service = services[database["host"]]
    assert service["spec"]["selector"] == {"app.kubernetes.io/name": database["peer"]["app"]}
    assert [port["port"] for port in service["spec"]["ports"]] == [database["port"]]


@pytest.mark.parametrize("file", sorted(REPOSITORY.glob("services/*/service.toml")), ids=lambda file: file.parent.name)
def test_a_chart_has_on_what_its_service_requires(file: Path) -> None:
    """What service.toml requires is there when the chart is installed, and nothing else is."""
    service = tomllib.loads(file.read_text(encoding="utf-8"))["service"]
    chart = service["chart"].removeprefix("helm/")
    assert yaml.safe_load((REPOSITORY / service["chart"] / "Chart.yaml").read_text(encoding="utf-8"))["name"] == chart
    values = chart_values(chart)
    assert values["port"] == service["port"]
    assert values["database"]["enabled"] == ("postgresql" in service["requires"])
    assert values["dapr"]["enabled"] == ("dapr" in service["requires"])

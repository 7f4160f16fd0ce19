"""Every manifest is what Kubernetes and the operator define, to the last field."""

import copy

import pytest

from .rendering import CHARTS, PROFILES, Helm, Manifest, documents, fixture_manifests, title
from .schemas import Schemas

DAPR = "dapr.io/v1alpha1"  # read by the sidecar, which ends where they are wrong; test_wiring.py looks at their names
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: example}
spec:
  selector: {matchLabels: {app: example}}
  template:
    metadata: {labels: {app: example}}
    spec:
      containers:
        - name: example
          image: example
          ports: [{containerPort: 80}]
          readinessProbe: {httpGet: {path: /, port: http}}
          resources: {limits: {cpu: 1, memory: 64Mi}}
"""
INGRESS = 'loki.ingress={"enabled": true, "host": "logs.example.org", "tlsSecret": "tls", "annotations": {"a": "b"}}'
PROMETHEUS = """
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: example}
spec: {scrapeInterval: 30s, serviceMonitorSelector: {}, resources: {limits: {cpu: 500m}}}
"""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", CHARTS)
def test_every_manifest_of_a_chart_is_valid(helm: Helm, schemas: Schemas, chart: str, profile: str) -> None:
    manifests = helm.manifests(chart, profile)
    assert manifests
    assert [mistake for manifest in manifests for mistake in schemas.mistakes(manifest)] == []


def test_grafana_where_it_is_enabled_is_valid(helm: Helm, schemas: Schemas) -> None:
    manifests = helm.manifests("monitoring", "local", "--set", "grafana.enabled=true")
    assert "Deployment/grafana" in {title(manifest) for manifest in manifests}
    assert [mistake for manifest in manifests for mistake in schemas.mistakes(manifest)] == []


def test_what_a_cluster_may_have_of_logging_is_valid(helm: Helm, schemas: Schemas) -> None:
    """Alloy in Promtail's place, and the ingress."""
    arguments = ("--set", "collector=alloy", "--set", "loki.auth.enabled=true", "--set-json", INGRESS)
    manifests = helm.manifests("logging", "local", *arguments)
    assert {"DaemonSet/alloy", "Ingress/loki"} <= {title(manifest) for manifest in manifests}
    assert [mistake for manifest in manifests for mistake in schemas.mistakes(manifest)] == []


def test_every_fixture_is_valid(schemas: Schemas) -> None:
    manifests = [(path, each) for path, each in fixture_manifests() if each["apiVersion"] != DAPR]
    assert [(path, mistake) for path, each in manifests for mistake in schemas.mistakes(each)] == []


@pytest.mark.parametrize("chart", CHARTS)
def test_no_object_is_rendered_twice(helm: Helm, chart: str) -> None:
    names = [
        (manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"])
        for manifest in helm.manifests(chart, "local")
    ]
    assert sorted(names, key=str) == sorted(set(names), key=str)


@pytest.mark.parametrize("text", [DEPLOYMENT, PROMETHEUS])
def test_the_check_accepts_what_is_right(schemas: Schemas, text: str) -> None:
    assert schemas.mistakes(documents(text)[0]) == []


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        (DEPLOYMENT, "spec.template.spec.containers.0.resource", {}, "resource"),
        (DEPLOYMENT, "spec.template.spec.containers.0.resources.limits.memory", "64 MB", "64 MB"),
        (DEPLOYMENT, "spec.replicas", "two", "two"),
        (DEPLOYMENT, "metadata.label", {}, "label"),
        (DEPLOYMENT, "kind", "Deploiment", "no schema"),
        (PROMETHEUS, "spec.scrapeIntervall", "30s", "scrapeIntervall"),
        (PROMETHEUS, "spec.scrapeInterval", "half a minute", "half a minute"),
        (PROMETHEUS, "metadata.label", {}, "label"),
    ],
)
def test_the_check_refuses_what_is_wrong(schemas: Schemas, text: str, path: str, value: object, expected: str) -> None:
    manifest: Manifest = copy.deepcopy(documents(text)[0])
    *parents, last = path.split(".")
    place = manifest
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    assert expected in "\n".join(schemas.mistakes(manifest))

"""Every chart as each target gets it: it renders, is valid, and uses of the cluster what preflight looks for."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.preflight.rights import rights_of
from sluice.promotion.chart_values import charts_of, files_for, values_for
from sluice.promotion.model import Target
from sluice.promotion.needs import Secret, needs_of
from sluice.promotion.targets import load_targets
from sluice.readiness.checks.capacity import quantity

from .policy import workloads
from .rendering import (
    CHARTS,
    CLOUDS,
    NAMESPACES,
    REPOSITORY,
    Helm,
    Manifest,
    documents,
    images_of,
    merged,
    of_kind,
    run,
)
from .schemas import Schemas

TARGETS = load_targets(REPOSITORY)
DAPR_SECRET = "dapr.io/app-token-secret"


@pytest.fixture(scope="module")
def rendered(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[Manifest]]]:
    """By target and chart; with the target's own files and values alone, nothing given by hand."""
    work = tmp_path_factory.mktemp("targets")
    return {
        name: {chart: documents(template(helm, target, chart, work)) for chart in CHARTS}
        for name, target in TARGETS.items()
    }


def template(helm: Helm, target: Target, chart: str, work: Path, values: dict[str, Any] | None = None) -> str:
    """Render by the target's files, or by `values` in their place."""
    given = work / f"{target.name}-{chart}.yaml"
    last = target.chart_values(chart) if values is None else values
    given.write_text(yaml.safe_dump(merged(last, images_of(chart))), encoding="utf-8")
    listed = files_for(REPOSITORY / "helm" / chart, REPOSITORY, target, chart) if values is None else ()
    files = [word for file in (*listed, given) for word in ("--values", file)]
    done = run(
        helm.program, "template", chart, helm.charts / chart, "--kube-version", "1.34.2", *files,
        "--namespace", NAMESPACES.get(chart, "default"),
    )  # fmt: skip
    assert done.returncode == 0, f"helm refuses {chart} for {target.name}:\n{done.stderr}"
    return done.stdout


def test_a_deploy_installs_every_chart_and_the_platform_first() -> None:
    assert charts_of(REPOSITORY)[:2] == ("monitoring", "logging")
    assert set(charts_of(REPOSITORY)) == set(CHARTS)


@pytest.mark.parametrize("name", TARGETS)
def test_every_manifest_of_a_target_is_valid(
    rendered: dict[str, dict[str, list[Manifest]]], schemas: Schemas, name: str
) -> None:
    mistakes = [mistake for found in rendered[name].values() for each in found for mistake in schemas.mistakes(each)]
    assert mistakes == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_clouds_values_render_with_what_kind_has_in_their_place(helm: Helm, schemas: Schemas, cloud: str) -> None:
    """As the suite `promotion` deploys them: that takes minutes to say what is said here in a second."""
    for chart in CHARTS:
        file = f"{chart if chart in NAMESPACES else 'services'}.yaml"
        found = helm.manifests(chart, cloud, "--values", str(REPOSITORY / "tests" / "promotion" / "values" / file))
        assert [mistake for each in found for mistake in schemas.mistakes(each)] == [], chart


@pytest.mark.parametrize("name", TARGETS)
def test_every_pod_pulls_with_the_targets_secrets(rendered: dict[str, dict[str, list[Manifest]]], name: str) -> None:
    wanted = [{"name": secret} for secret in TARGETS[name].registry.pull_secrets]
    for chart, manifests in rendered[name].items():
        for workload in workloads([one for one in manifests if one["kind"] != "Pod"]):
            assert workload.pod.get("imagePullSecrets", []) == wanted, f"{chart}: {workload.name}"


@pytest.mark.parametrize("name", TARGETS)
def test_preflight_looks_for_every_secret_that_a_pod_uses(
    rendered: dict[str, dict[str, list[Manifest]]], name: str
) -> None:
    """By what helm renders: a Secret of a new chart or value cannot be forgotten, nor one be asked for in vain."""
    target = TARGETS[name]
    needs = needs_of(target, {chart: values_for(REPOSITORY, target, chart) for chart in CHARTS})
    used = {
        (target.cluster.namespace_of(chart), secret)
        for chart, manifests in rendered[name].items()
        for secret in secrets_used(manifests)
    }
    assert used == {(one.namespace, one.name) for one in needs.secrets}
    assert Secret("default", "backend-database", ("password",)) in needs.secrets
    keys = {(one.name, key) for one in needs.secrets for key in one.keys}
    assert {pair for found in rendered[name].values() for pair in key_references(found)} <= keys


@pytest.mark.parametrize("name", TARGETS)
def test_preflight_looks_for_every_storage_class(rendered: dict[str, dict[str, list[Manifest]]], name: str) -> None:
    target = TARGETS[name]
    needs = needs_of(target, {chart: values_for(REPOSITORY, target, chart) for chart in CHARTS})
    claims = [one for found in rendered[name].values() for manifest in found for one in claims_of(manifest)]
    assert claims
    assert {claim.get("storageClassName", "") for claim in claims} == set(needs.storage_classes)


@pytest.mark.parametrize("name", TARGETS)
def test_prometheus_deletes_its_oldest_before_its_volume_is_full(
    rendered: dict[str, dict[str, list[Manifest]]], name: str
) -> None:
    (prometheus,) = of_kind(rendered[name]["monitoring"], "Prometheus")
    spec = prometheus["spec"]
    volume = spec["storage"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]
    # A fifth is left for what is written and compacted meanwhile. Prometheus says GiB where Kubernetes says Gi.
    assert quantity(spec["retentionSize"].removesuffix("B")) <= quantity(volume) * 8 / 10


@pytest.mark.parametrize("name", TARGETS)
def test_preflight_asks_for_the_right_to_everything_that_is_installed(
    rendered: dict[str, dict[str, list[Manifest]]], name: str
) -> None:
    """So that a chart's new kind of object is not found out by a deploy that is half done."""
    target = TARGETS[name]
    asked = {(right.resource, right.group, right.namespace) for right in rights_of(target) if right.verb == "patch"}
    used = set()
    for chart, manifests in rendered[name].items():
        for one in manifests:
            plural = re.sub("ys$", "ies", one["kind"].lower() + ("es" if one["kind"].endswith("s") else "s"))
            group = one["apiVersion"].rpartition("/")[0]
            without = one["kind"].startswith("Cluster") or one["kind"] == "APIService"
            here = one["metadata"].get("namespace") or target.cluster.namespace_of(chart)
            used.add((plural, group, "" if without else here))
    assert used - asked == set()


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"local"}))
def test_logs_go_to_the_targets_bucket(rendered: dict[str, dict[str, list[Manifest]]], name: str) -> None:
    storage = TARGETS[name].storage
    assert storage
    texts = [text for one in of_kind(rendered[name]["logging"], "ConfigMap") for text in one["data"].values()]
    assert any(storage.bucket in text for text in texts)


@pytest.mark.parametrize("chart", ["logging", "backend", "sync"])
@pytest.mark.parametrize("name", TARGETS)
def test_values_are_merged_as_helm_does_it(
    rendered: dict[str, dict[str, list[Manifest]]], helm: Helm, tmp_path: Path, name: str, chart: str
) -> None:
    values = values_for(REPOSITORY, TARGETS[name], chart)
    assert documents(template(helm, TARGETS[name], chart, tmp_path, values)) == rendered[name][chart]


def secrets_used(manifests: list[Manifest]) -> set[str]:
    """The Secrets that pods name in any of the ways there are, without those that the chart brings itself."""
    brought = {one["metadata"]["name"] for one in of_kind(manifests, "Secret")}
    found: set[str] = set()
    for manifest in manifests:
        for key, value in walk(manifest):
            if key == "secretKeyRef" or (key == "secret" and isinstance(value, dict)):
                found.add(value.get("secretName") or value["name"])
            elif key == "imagePullSecrets":
                found |= {one["name"] for one in value}
            elif key == "secrets" and manifest["kind"] in ("Alertmanager", "Prometheus"):
                found |= set(value)
            elif key == DAPR_SECRET:
                found.add(value)
    return found - brought


def key_references(manifests: list[Manifest]) -> set[tuple[str, str]]:
    return {
        (value["name"], value["key"])
        for manifest in manifests
        for key, value in walk(manifest)
        if key == "secretKeyRef"
    }


def claims_of(manifest: Manifest) -> Iterator[Any]:
    for key, value in walk(manifest):
        if key == "volumeClaimTemplates":
            yield from (one["spec"] for one in value)
        elif key == "volumeClaimTemplate":
            yield value["spec"]


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)

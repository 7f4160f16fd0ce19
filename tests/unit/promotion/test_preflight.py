"""`doctor --cloud` on a target's cluster: a bare one lacks each thing, with its cure; a complete one has all."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.unit.promotion.clusters import ROOT, TARGETS, Objects, complete, deployment, examine, needs, target_of

from sluice.preflight.rights import rights_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", TARGETS)
async def test_a_complete_cluster_lacks_nothing(tmp_path: Path, name: str) -> None:
    target = target_of(name, tmp_path)
    found = await examine(target, complete(target))
    assert [one for one in found.values() if one.state != "has"] == []
    assert len(found) > 15


@pytest.mark.parametrize("name", TARGETS)
async def test_a_bare_cluster_lacks_each_thing_and_its_cure_is_told(tmp_path: Path, name: str) -> None:
    """Nothing but an API server: whatever a complete one has that is not on this host is told as missing."""
    target = target_of(name, tmp_path)
    whole = await examine(target, complete(target))
    found = await examine(target, {"/version": {"gitVersion": "v1.34.2"}}, may=lambda _: False)
    assert found.keys() == whole.keys()
    here = {"names", "public key", f"registry {target.registry.host}", "kubeconfig", "API server"}
    brought = {title for title, one in found.items() if "comes with the chart" in one.seen}
    assert brought <= {"metrics API", "custom metrics API", "ServiceAccount loki"}
    assert {title for title, one in found.items() if one.state == "has"} == here | brought
    for secret in needs(target).secrets:
        cure = found[f"Secret {secret.namespace}/{secret.name}"].cure
        assert cure.startswith(f"kubectl create secret generic {secret.name} -n {secret.namespace} ")
        assert all(f"--from-file={key}=" in cure for key in secret.keys)


@pytest.mark.parametrize(
    ("name", "title", "seen", "cure"),
    [
        ("oke", "Secret logging/loki-object-storage", "not there", "--from-file=secretAccessKey=<file>"),
        ("oke", "Secret default/ocir", "not there", "--type=kubernetes.io/dockerconfigjson"),
        ("oke", "metrics API", "no answer", "--addon-name KubernetesMetricsServer"),
        ("oke", "storage class oci-bv", "there are none", "storageClassName"),
        ("aks", "workload identity", "no azure-wi-webhook", "--enable-workload-identity"),
        ("aks", "Secret monitoring/alertmanager-pagerduty", "not there", "--from-file=routing-key=<file>"),
        ("gke", "workload identity", "no node", "--workload-metadata=GKE_METADATA"),
        ("gke", "Dapr in dapr-system", "no dapr-operator", "helm upgrade --install dapr dapr --repo "),
        ("gke", "Dapr component pubsub", "not in default", "kubectl apply -n default"),
        ("gke", "callers in ingress-nginx", "nobody from outside", "networkPolicy.ingress"),
        ("local", "storage class", "no default among none", "kubectl annotate storageclass"),
        ("local", "ConfigMap default/dapr-components", "not there", "kubectl create configmap dapr-components"),
        ("local", "nodes", "0 of 0 ready", "kubectl describe nodes"),
        ("local", "namespaces", "no default, no monitoring, no logging", "k8s-fixtures/namespaces.yaml"),
    ],
)
async def test_what_a_bare_cluster_lacks_is_told(tmp_path: Path, name: str, title: str, seen: str, cure: str) -> None:
    found = (await examine(target_of(name, tmp_path), {"/version": {"gitVersion": "v1.34.2"}}))[title]
    assert found.state in ("lacks", "short")
    assert seen in found.seen
    assert cure in found.cure


async def test_what_is_there_and_is_not_right_is_told(tmp_path: Path) -> None:
    target = target_of("oke", tmp_path)
    objects = complete(target)
    objects["/api/v1/namespaces/logging/secrets/loki-object-storage"] = {
        "data": {"accessKeyId": "aQ==", "other": "aQ=="}
    }
    config = base64.b64encode(b'{"auths": {"https://ghcr.io/v2/": {}}}').decode()
    objects["/api/v1/namespaces/default/secrets/ocir"] = {"data": {".dockerconfigjson": config}}
    objects["/api/v1/namespaces/logging/secrets/ocir"] = {"data": {"password": "aQ=="}}
    names = ("dapr-operator", "dapr-sentry", "dapr-sidecar-injector")
    plane = "/apis/apps/v1/namespaces/dapr-system/deployments"
    objects[plane] = {"items": [deployment(name, "1.14.4") for name in names]}
    objects["/apis/dapr.io/v1alpha1/namespaces/default/components/pubsub"] = {"spec": {"type": "pubsub.redis"}}
    objects["/api/v1/nodes"]["items"][0]["status"]["nodeInfo"]["architecture"] = "arm64"
    elsewhere = {"spec": {"service": {"namespace": "custom-metrics", "name": "stackdriver"}}}
    objects["/apis/apiregistration.k8s.io/v1/apiservices/v1beta2.custom.metrics.k8s.io"] = elsewhere
    found = await examine(target, objects)
    for title, state, seen in (
        ("Secret logging/loki-object-storage", "lacks", "no key secretAccessKey; it has accessKeyId, other"),
        ("Secret default/ocir", "lacks", "it is of https://ghcr.io/v2/, not of registry.acme.org"),
        ("Secret logging/ocir", "lacks", "no Docker configuration"),
        ("Dapr in dapr-system", "short", "version 1.14.4; services are tested with 1."),
        ("Dapr component pubsub", "short", "of type pubsub.redis"),
        ("nodes", "lacks", "arm64"),
        ("custom metrics API", "lacks", "served by custom-metrics/stackdriver"),
    ):
        assert (found[title].state, seen in found[title].seen) == (state, True), found[title]
    objects[plane] = {"items": [deployment(name, ready=0) for name in names]}
    assert "no pod of dapr-operator" in (await examine(target, objects))["Dapr in dapr-system"].seen


async def test_an_identity_other_than_the_targets_is_told(tmp_path: Path) -> None:
    target = target_of("aks", tmp_path)
    account = {"metadata": {"annotations": {"azure.workload.identity/client-id": "another"}}}
    objects = {**complete(target), "/api/v1/namespaces/logging/serviceaccounts/loki": account}
    found = (await examine(target, objects))["ServiceAccount loki"]
    assert (found.state, "acts as another" in found.seen) == ("short", True)


async def test_rights_are_asked_one_by_one_where_not_all_are_given(tmp_path: Path) -> None:
    target = target_of("gke", tmp_path)
    objects = complete(target)

    def may(asked: Objects) -> bool:
        return asked["verb"] != "*" and asked["resource"] != "clusterroles" and asked.get("subresource") != "proxy"

    found = (await examine(target, objects, may=may))["rights"]
    assert found.state == "lacks"
    assert found.seen.startswith("get clusterroles.rbac.authorization.k8s.io; create clusterroles")
    assert found.seen.endswith("; and 5 more")  # three namespaces' services/proxy, to get and to create
    assert "kubectl create clusterrolebinding" in found.cure
    found = (await examine(target, objects, may=lambda asked: asked["verb"] != "*"))["rights"]
    assert (found.state, found.seen) == ("has", f"all {len(rights_of(target))} that a deploy uses")


async def test_an_api_server_that_refuses_or_is_away_is_one_line(tmp_path: Path) -> None:
    target = target_of("gke", tmp_path)
    for refusal, seen in ((401, "401: no (are the credentials"), (httpx.ConnectError("refused"), "refused")):
        found = await examine(target, {"/version": refusal})
        assert found["API server"].state == "lacks"
        assert seen in found["API server"].seen
        assert "rights" not in found


async def test_a_check_that_cannot_be_made_is_its_own_line(tmp_path: Path) -> None:
    target = target_of("gke", tmp_path)
    strange = {"/api/v1/nodes": {"items": [{"status": None}]}, "/apis/storage.k8s.io/v1/storageclasses": 403}
    found = await examine(target, {**complete(target), **strange})
    assert "what came cannot be read" in found["nodes"].seen
    assert "403: no" in found["storage class standard-rwo"].seen
    assert found["Dapr component pubsub"].state == "has"


async def test_values_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    target = target_of("gke", tmp_path)
    (tmp_path / "values.yaml").write_text("database: postgresql\n", encoding="utf-8")
    wrong = replace(target, values={"backend": (str(tmp_path / "values.yaml"),)})
    found = await examine(wrong, complete(target))
    assert found["charts' values"].state == "lacks"
    (tmp_path / "values.yaml").write_text("- a\n", encoding="utf-8")
    found = await examine(wrong, complete(target))
    assert "values.yaml" in found["charts' values"].seen
    assert "a list" in found["charts' values"].seen


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"local"}))
def test_the_guide_of_a_cloud_makes_every_secret(tmp_path: Path, name: str) -> None:
    """Of its own page or the common one; a database's is made in a loop over the services."""
    pages = [(ROOT / "docs" / "clouds" / page).read_text(encoding="utf-8") for page in ("README.md", f"{name}.md")]
    told = re.findall(r'kubectl create secret generic "?([\w$-]+)', "\n".join(pages))
    for secret in needs(target_of(name, tmp_path)).secrets:
        wanted = "$service-database" if secret.name.endswith("-database") else secret.name
        assert wanted in told
        assert all(key in "\n".join(pages) for key in secret.keys)

"""Targets and API servers for the tests of preflight: complete ones, from which tests take away or put in."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import yaml

from sluice.doctor import Finding
from sluice.preflight import examine_target
from sluice.promotion.chart_values import charts_of, values_for
from sluice.promotion.model import Target
from sluice.promotion.needs import Needs, needs_of
from sluice.promotion.targets import load_targets

ROOT = Path(__file__).parents[3]
TARGETS = load_targets(ROOT)
Objects = dict[str, Any]
_needs: dict[str, Needs] = {}
PEM = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"


def target_of(name: str, folder: Path, **user: Any) -> Target:
    """A target of the tree with somebody's own names, whose files are in `folder`."""
    given = TARGETS[name]
    (folder / "cosign.pub").write_text(PEM, encoding="utf-8")
    config = {"auths": {"registry.acme.org": {"auth": base64.b64encode(b"me:hunter2").decode()}}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    kubeconfig = {
        "contexts": [{"name": "acme", "context": {"cluster": "acme", "user": "me"}}],
        "users": [{"name": "me", "user": user or {"token": "t"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
    storage = given.storage and replace(
        given.storage, bucket="acme-logs", endpoint=given.storage.endpoint and "s3.acme"
    )
    if storage and storage.account:
        storage = replace(storage, account="acme", client_id="11111111-0000-0000-0000-000000000001")
    return replace(
        given,
        public_key=str(folder / "cosign.pub"),
        registry=replace(
            given.registry, repository="registry.acme.org/sluice", credentials=str(folder / "config.json"), ca=""
        ),
        cluster=replace(given.cluster, context="acme", kubeconfig=str(folder / "kubeconfig")),
        storage=storage,
    )


def needs(target: Target) -> Needs:
    """What `target_of` gives needs; asked once for each name, since it reads many files."""
    if target.name not in _needs:
        _needs[target.name] = needs_of(target, {chart: values_for(ROOT, target, chart) for chart in charts_of(ROOT)})
    return _needs[target.name]


def complete(target: Target) -> Objects:
    """Every object that a deploy to a target needs, by its path."""
    needed = needs(target)
    node = {
        "metadata": {"name": "a", "labels": {"iam.gke.io/gke-metadata-server-enabled": "true"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"architecture": "amd64"}},
    }
    found: Objects = {
        "/version": {"gitVersion": "v1.34.2"},
        "/api/v1/nodes": {"items": [node]},
        "/apis/metrics.k8s.io/v1beta1/nodes": {"items": []},
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/"
        "azure-wi-webhook-mutating-webhook-configuration": {},
        "/apis/storage.k8s.io/v1/storageclasses": {"items": [storage_class(name) for name in needed.storage_classes]},
    }
    for name in {*target.cluster.namespaces, *needed.callers}:
        found[f"/api/v1/namespaces/{name}"] = {}
    for secret in needed.secrets:
        data = dict.fromkeys(secret.keys, "aHVudGVyMg==")
        if secret.registry:
            config = json.dumps({"auths": {secret.registry: {"auth": "aHVudGVyMg=="}}})
            data = {".dockerconfigjson": base64.b64encode(config.encode()).decode()}
        found[f"/api/v1/namespaces/{secret.namespace}/secrets/{secret.name}"] = {"data": data}
    for space in needed.control_planes:
        names = ("dapr-operator", "dapr-sentry", "dapr-sidecar-injector")
        found[f"/apis/apps/v1/namespaces/{space}/deployments"] = {"items": [deployment(name) for name in names]}
    for space, name in needed.pubsubs:
        component = {"spec": {"type": "pubsub.kafka"}}
        found[f"/apis/dapr.io/v1alpha1/namespaces/{space}/components/{name}"] = component
    for space, name in needed.config_maps:
        found[f"/api/v1/namespaces/{space}/configmaps/{name}"] = {}
    return found


def storage_class(name: str) -> Objects:
    """A storage class; the default where it has no name."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {"metadata": {"name": name or "standard", "annotations": {} if name else default}}


def deployment(name: str, version: str = "1.16.0", ready: int = 1) -> Objects:
    """A Deployment of Dapr's chart."""
    labels = {"app.kubernetes.io/version": version}
    return {"metadata": {"name": name, "labels": labels}, "status": {"readyReplicas": ready}}


def open_registry(request: httpx.Request) -> httpx.Response:
    """A registry that asks nobody who they are, and is empty."""
    return httpx.Response(200, json={}) if request.url.path == "/v2/" else httpx.Response(404)


def admin(_: Objects) -> bool:
    """Of somebody who may do everything."""
    return True


async def examine(
    target: Target,
    objects: Objects,
    *,
    may: Callable[[Objects], bool] = admin,
    registry: Callable[[httpx.Request], httpx.Response] = open_registry,
    seconds: float = 30,
) -> dict[str, Finding]:
    """What is found on a cluster of these objects, by its title; whatever is asked for must not change anything."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.url.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            asked = json.loads(request.content)["spec"]["resourceAttributes"]
            return httpx.Response(201, json={"status": {"allowed": may(asked)}})
        assert request.method == "GET"
        found = objects.get(request.url.path)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, int):
            return httpx.Response(found, json={"kind": "Status", "apiVersion": "v1", "message": "no"})
        return httpx.Response(404 if found is None else 200, json=found)

    @asynccontextmanager
    async def connect(path: Path, *, context: str) -> AsyncIterator[httpx.AsyncClient]:
        assert (str(path), context) == (target.cluster.kubeconfig, target.cluster.context)
        async with httpx.AsyncClient(base_url="https://acme:6443", transport=httpx.MockTransport(answer)) as client:
            yield client

    findings = await examine_target(
        target, ROOT, environment={}, connect=connect, registry=httpx.MockTransport(registry), seconds=seconds
    )
    titles = [one.what for one in findings]
    assert len(set(titles)) == len(titles)
    assert [one.what for one in findings if one.state != "has" and not one.cure] == []
    assert "hunter2" not in repr(findings)
    assert "aHVudGVyMg==" not in repr(findings)
    return {one.what: one for one in findings}

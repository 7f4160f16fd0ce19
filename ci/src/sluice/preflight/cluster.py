"""What a target's cluster has of what the charts need."""

import base64
import json
from functools import partial
from typing import Any

from sluice.doctor import Finding
from sluice.preflight.asking import Api, Check
from sluice.promotion.model import Target
from sluice.promotion.needs import Needs, Secret

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_CONTROL_PLANE = ("dapr-operator", "dapr-sentry", "dapr-sidecar-injector")
_ARCHITECTURE = "amd64"  # of the images that Sluice builds
METRICS_CURE = {
    "oke": "oci ce cluster install-addon --cluster-id <ocid> --addon-name KubernetesMetricsServer",
    "aks": "kubectl -n kube-system rollout restart deployment metrics-server; AKS brings it",
    "gke": "kubectl -n kube-system get deployment metrics-server-v1; GKE brings it",
}


def checks(api: Api, target: Target, needs: Needs, *, dapr: str) -> list[tuple[str, Check]]:
    """Every check with its title; `dapr` is the version that services are tested with."""
    found: list[tuple[str, Check]] = [
        ("nodes", partial(_nodes, api)),
        ("namespaces", partial(_namespaces, api, target)),
    ]
    found += [(f"Secret {one.namespace}/{one.name}", partial(_secret, api, target, one)) for one in needs.secrets]
    found += [(f"storage class {name}".rstrip(), partial(_storage_class, api, name)) for name in needs.storage_classes]
    found += [(f"ingress class {name}", partial(_ingress_class, api, name)) for name in needs.ingress_classes]
    found += [(f"Dapr in {name}", partial(_control_plane, api, name, dapr)) for name in needs.control_planes]
    found += [(f"Dapr component {name}", partial(_pubsub, api, space, name)) for space, name in needs.pubsubs]
    found += [
        (f"ConfigMap {space}/{name}", partial(_config_map, api, space, name)) for space, name in needs.config_maps
    ]
    found += [(f"callers in {name}", partial(_callers, api, name)) for name in needs.callers]
    found.append(("metrics API", partial(_metrics, api, target, needs)))
    if needs.custom_metrics is not None:
        found.append(("custom metrics API", partial(_custom_metrics, api, target, brought=needs.custom_metrics)))
    return found


async def _nodes(api: Api) -> list[Finding]:
    nodes = await api.items("/api/v1/nodes")
    ready = [node for node in nodes if any(_is_true(one, "Ready") for one in node["status"].get("conditions") or ())]
    other = {_architecture(node) for node in ready} - {_ARCHITECTURE}
    seen = f"{len(ready)} of {len(nodes)} ready"
    if other:
        cure = f"a node pool of {_ARCHITECTURE}: the images are built for that"
        state = "short" if any(_architecture(node) == _ARCHITECTURE for node in ready) else "lacks"
        return [Finding("nodes", state, f"{seen}, some are {', '.join(sorted(other))}", cure)]  # type: ignore[arg-type]
    if not ready:
        return [Finding("nodes", "lacks", seen, "kubectl describe nodes; add nodes to the pool")]
    return [Finding("nodes", "has", seen)]


def _is_true(condition: dict[str, Any], kind: str) -> bool:
    return (condition["type"], condition["status"]) == (kind, "True")


def _architecture(node: dict[str, Any]) -> str:
    return str(node["status"].get("nodeInfo", {}).get("architecture", _ARCHITECTURE))


async def _namespaces(api: Api, target: Target) -> list[Finding]:
    missing = [name for name in target.cluster.namespaces if await api.get(f"/api/v1/namespaces/{name}") is None]
    if not missing:
        return [Finding("namespaces", "has", ", ".join(target.cluster.namespaces))]
    cure = (
        "kubectl apply --server-side -f k8s-fixtures/namespaces.yaml; a deploy makes them too, but Secrets come first"
    )
    return [Finding("namespaces", "short", f"no {', no '.join(missing)}", cure)]


async def _secret(api: Api, target: Target, need: Secret) -> list[Finding]:
    what = f"Secret {need.namespace}/{need.name}"
    found = await api.get(f"/api/v1/namespaces/{need.namespace}/secrets/{need.name}")
    data = (found or {}).get("data") or {}
    if need.registry:
        return [_pull_secret(what, target, need, data, there=found is not None)]
    missing = [key for key in need.keys if not data.get(key)]
    if not missing:
        return [Finding(what, "has", ", ".join(need.keys))]
    words = " ".join(f"--from-file={key}=<file>" for key in need.keys)
    cure = f"kubectl create secret generic {need.name} -n {need.namespace} {words}"
    if found is None:
        return [Finding(what, "lacks", "not there", cure)]
    return [Finding(what, "lacks", f"no key {', no '.join(missing)}; it has {', '.join(data) or 'none'}", cure)]


def _pull_secret(what: str, target: Target, need: Secret, data: dict[str, str], *, there: bool) -> Finding:
    cure = (
        f"kubectl create secret generic {need.name} -n {need.namespace} --type=kubernetes.io/dockerconfigjson"
        " --from-file=.dockerconfigjson=<config.json of a user that may pull>"
    )
    if not there:
        return Finding(what, "lacks", "not there", cure)
    try:
        hosts = list(json.loads(base64.b64decode(data[".dockerconfigjson"]))["auths"])
    except (LookupError, ValueError, TypeError):
        return Finding(what, "lacks", "no Docker configuration under .dockerconfigjson", cure)
    if not any(host.removeprefix("https://").partition("/")[0] == need.registry for host in hosts):
        return Finding(what, "lacks", f"it is of {', '.join(hosts) or 'no registry'}, not of {need.registry}", cure)
    return Finding(what, "has", f"of {need.registry}")


async def _storage_class(api: Api, name: str) -> list[Finding]:
    classes = await api.items("/apis/storage.k8s.io/v1/storageclasses")
    names = [one["metadata"]["name"] for one in classes]
    if not name:
        marked = [one for one in classes if (one["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"]
        if marked:
            return [Finding("storage class", "has", f"{marked[0]['metadata']['name']}, the default")]
        cure = f"kubectl annotate storageclass {names[0] if names else '<name>'} {_DEFAULT_CLASS}=true"
        return [Finding("storage class", "lacks", f"no default among {', '.join(names) or 'none'}", cure)]
    what = f"storage class {name}"
    if name in names:
        return [Finding(what, "has", "there")]
    cure = "name one that is there as storageClassName, in a file that [values] of the target lists"
    return [Finding(what, "lacks", f"there are {', '.join(names) or 'none'}", cure)]


async def _ingress_class(api: Api, name: str) -> list[Finding]:
    what = f"ingress class {name}"
    if await api.get(f"/apis/networking.k8s.io/v1/ingressclasses/{name}") is not None:
        return [Finding(what, "has", "there")]
    return [Finding(what, "lacks", "not there", "install that controller, or name another as loki.ingress.className")]


async def _control_plane(api: Api, namespace: str, version: str) -> list[Finding]:
    what = f"Dapr in {namespace}"
    cure = (
        f"helm upgrade --install dapr dapr --repo https://dapr.github.io/helm-charts --version {version}"
        f" -n {namespace} --create-namespace --wait"
    )
    found = {
        one["metadata"]["name"]: one for one in await api.items(f"/apis/apps/v1/namespaces/{namespace}/deployments")
    }
    missing = [name for name in _CONTROL_PLANE if name not in found]
    if missing:
        return [Finding(what, "lacks", f"no {', no '.join(missing)}", cure)]
    waiting = [name for name in _CONTROL_PLANE if not found[name].get("status", {}).get("readyReplicas")]
    if waiting:
        return [Finding(what, "lacks", f"no pod of {', '.join(waiting)} is ready", f"kubectl get pods -n {namespace}")]
    runs = (found[_CONTROL_PLANE[0]]["metadata"].get("labels") or {}).get("app.kubernetes.io/version", "")
    if runs and runs.split(".")[:2] != version.split(".")[:2]:
        return [Finding(what, "short", f"version {runs}; services are tested with {version}", cure)]
    return [Finding(what, "has", f"version {runs}" if runs else "ready")]


async def _pubsub(api: Api, namespace: str, name: str) -> list[Finding]:
    what = f"Dapr component {name}"
    found = await api.get(f"/apis/dapr.io/v1alpha1/namespaces/{namespace}/components/{name}")
    cure = f"kubectl apply -n {namespace} -f <your copy of k8s-fixtures/dapr/components/pubsub.yaml>"
    if found is None:
        return [Finding(what, "lacks", f"not in {namespace}", cure)]
    kind = found["spec"]["type"]
    if kind != "pubsub.kafka":
        return [Finding(what, "short", f"of type {kind}; services are tested with pubsub.kafka", cure)]
    return [Finding(what, "has", kind)]


async def _config_map(api: Api, namespace: str, name: str) -> list[Finding]:
    what = f"ConfigMap {namespace}/{name}"
    if await api.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}") is not None:
        return [Finding(what, "has", "there")]
    cure = f"kubectl create configmap {name} -n {namespace} --from-file=<your copy of k8s-fixtures/dapr/components>"
    return [Finding(what, "lacks", "not there", cure)]


async def _callers(api: Api, namespace: str) -> list[Finding]:
    what = f"callers in {namespace}"
    if await api.get(f"/api/v1/namespaces/{namespace}") is not None:
        return [Finding(what, "has", "there")]
    cure = "install the ingress controller, or name its namespace as networkPolicy.ingress.ingress-controller.namespace"
    return [Finding(what, "short", "no such namespace: nobody from outside reaches the services", cure)]


async def _metrics(api: Api, target: Target, needs: Needs) -> list[Finding]:
    what = "metrics API"
    if await api.served("/apis/metrics.k8s.io/v1beta1/nodes"):
        return [Finding(what, "has", "answers")]
    if needs.metrics:
        return [Finding(what, "has", "comes with the chart monitoring")]
    cure = METRICS_CURE.get(target.cloud, "metricsServer.enabled=true")
    return [Finding(what, "lacks", "no answer: autoscalers would see no load", cure)]


async def _custom_metrics(api: Api, target: Target, *, brought: bool) -> list[Finding]:
    what = "custom metrics API"
    found = await api.get("/apis/apiregistration.k8s.io/v1/apiservices/v1beta2.custom.metrics.k8s.io")
    service = ((found or {}).get("spec") or {}).get("service") or {}
    where = f"{service.get('namespace')}/{service.get('name')}"
    own = f"{target.cluster.monitoring}/prometheus-adapter"
    if brought and found and where != own:
        cure = "prometheusAdapter.enabled=false in monitoring's values, if that one serves websocket_connections_active"
        return [Finding(what, "lacks", f"served by {where}: a cluster has one", cure)]
    if brought:
        return [Finding(what, "has", own if found else "comes with the chart monitoring")]
    if found:
        return [Finding(what, "has", where)]
    cure = "prometheusAdapter.enabled=true, or autoscaling.websocketConnections=0"
    return [Finding(what, "lacks", "nobody serves it, and services are scaled by it", cure)]

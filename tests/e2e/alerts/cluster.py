"""The drills' own part of the cluster: a namespace, stand-ins that do wrong what they are told, and their end."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.e2e.kube import Kube, is_ready
from tests.e2e.support import eventually

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.prometheus.client import PrometheusMetrics

FAULTS = Path(__file__).parents[3] / "k8s-fixtures" / "faults"
NAMESPACE = "drills"
PORT = 8000
READY_WITHIN = 120.0
GONE_WITHIN = 120.0
_PATHS = {
    "Namespace": "api/v1/namespaces",
    "Node": "api/v1/nodes",
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Service": "api/v1/namespaces/{}/services",
    "PersistentVolumeClaim": "api/v1/namespaces/{}/persistentvolumeclaims",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "Job": "apis/batch/v1/namespaces/{}/jobs",
    "ServiceMonitor": "apis/monitoring.coreos.com/v1/namespaces/{}/servicemonitors",
}
_APPLY = {"Content-Type": "application/apply-patch+yaml"}


@dataclass(frozen=True)
class Drills:
    """The namespace of the drills. `images` are those of the manifests by their name there."""

    kube: Kube
    images: dict[str, str]
    nodes: list[str] = field(default_factory=list)

    @staticmethod
    async def made(kube: Kube) -> "Drills":
        """Make the namespace and what all drills share, with the images of a service that runs."""
        (pod, *_) = await kube.ready_pods("backend")
        containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
        images = {one["name"]: one["image"] for one in containers}
        drills = Drills(kube, {"service": images["backend"], "daprd": images["daprd"]})

        async def shared() -> None:
            for manifest in manifests("common.yaml"):
                if manifest["kind"] == "ConfigMap":
                    manifest["data"]["stand_in.py"] = (FAULTS / "stand_in.py").read_text(encoding="utf-8")
                await drills.apply(manifest)

        await eventually(
            shared, within=GONE_WITHIN, every=1
        )  # the namespace of earlier drills may still be on its way out
        return drills

    async def apply(self, manifest: dict[str, Any]) -> None:
        """Put an object there, or change it to what the manifest says."""
        place = self.place(manifest["kind"], manifest["metadata"]["name"])
        params = {"fieldManager": "drills", "force": "true"}
        answer = await self.kube.client.patch(place, params=params, headers=_APPLY, content=json.dumps(manifest))
        assert answer.is_success, f"{place}: {answer.text[:500]}"

    async def patch(self, kind: str, name: str, change: dict[str, Any]) -> None:
        """Change an object."""
        await self.kube.patch(self.place(kind, name), change)

    async def delete(self, kind: str, name: str) -> None:
        """Delete an object, and what hangs on it, if it is there."""
        params = {"propagationPolicy": "Background", "gracePeriodSeconds": "1"}
        answer = await self.kube.client.delete(self.place(kind, name), params=params)
        assert answer.is_success or answer.status_code == 404, f"{kind} {name}: {answer.text[:500]}"

    def place(self, kind: str, name: str) -> str:
        """An object's path below the API server."""
        return f"{_PATHS[kind].format(NAMESPACE)}/{name}"

    async def stand_in(self, name: str, *, sidecar: str = "", replicas: int = 1, **state: Any) -> "StandIn":
        """Put a stand-in there. `sidecar` is its component's key in the ConfigMap; without one it has none."""
        for manifest in manifests("stand-in.yaml", name):
            if manifest["kind"] == "Deployment":
                manifest["spec"]["replicas"] = replicas
                pod = manifest["spec"]["template"]["spec"]
                for container in (*pod["containers"], *pod["initContainers"]):
                    container["image"] = self.images[container["image"]]
                pod["containers"][0]["env"][1]["value"] = json.dumps(state)
                pod["initContainers"][0]["volumeMounts"][0]["subPath"] = sidecar
                if not sidecar:
                    del pod["initContainers"]
            elif not sidecar:
                del manifest["spec"]["ports"][1]
            await self.apply(manifest)
        return StandIn(self, name)

    async def plain(self, file: str, name: str) -> dict[str, Any]:
        """Put the one object of a file there."""
        (manifest,) = manifests(file, name)
        if manifest["kind"] == "Job":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                container["image"] = self.images[container["image"]]
        if manifest["kind"] == "Node":
            self.nodes.append(name)
        await self.apply(manifest)
        return manifest

    async def looked_at(self) -> None:
        """Have the kubelet bring Prometheus its configuration now: it looks once a minute, and when a pod changes."""
        pods = await self.kube.get("api/v1/pods", labelSelector="app.kubernetes.io/name=prometheus")
        for pod in pods["items"]:
            about = pod["metadata"]
            path = f"api/v1/namespaces/{about['namespace']}/pods/{about['name']}"
            await self.kube.patch(path, {"metadata": {"annotations": {"sluice.dev/drills": str(time.time())}}})

    async def gone(self, prometheus: PrometheusMetrics) -> None:
        """Take everything away again. Pods first: a target that goes ends its series, a monitor that goes ends none."""
        for node in self.nodes:
            await self.delete("Node", node)
        found = await self.kube.get(f"apis/apps/v1/namespaces/{NAMESPACE}/deployments")
        for one in found["items"]:
            await self.delete("Deployment", one["metadata"]["name"])

        async def ended() -> None:
            pods = await self.kube.get(f"api/v1/namespaces/{NAMESPACE}/pods")
            left = [pod["metadata"]["name"] for pod in pods["items"] if pod["status"]["phase"] == "Running"]
            assert not left, f"still there: {left}"
            scraped = [one.url for one in await prometheus.targets() if one.labels.get("namespace") == NAMESPACE]
            assert not scraped, f"still scraped: {scraped}"

        await eventually(ended, within=GONE_WITHIN)
        await self.delete("Namespace", NAMESPACE)


@dataclass(frozen=True)
class StandIn:
    """One stand-in: its Deployment, and its pods' own address."""

    drills: Drills
    name: str

    async def pods(self, *, ready: bool = True) -> list[dict[str, Any]]:
        """Its pods that are not on their way out, those that are ready unless all are asked for."""
        alive = [pod for pod in await self._all_pods() if "deletionTimestamp" not in pod["metadata"]]
        return [pod for pod in alive if not ready or is_ready(pod)]

    async def gone(self) -> None:
        """Return once it has no pod, and none on its way out either: that one still works."""

        async def none() -> None:
            pods = await self._all_pods()
            assert not pods, f"{self.name} still has {len(pods)} pods"

        await eventually(none, within=GONE_WITHIN)

    async def _all_pods(self) -> list[dict[str, Any]]:
        path = f"api/v1/namespaces/{NAMESPACE}/pods"
        found = await self.drills.kube.get(path, labelSelector=f"app.kubernetes.io/name={self.name}")
        return list(found["items"])

    async def up(self, count: int = 1) -> None:
        """Return once so many of its pods, and no others, are ready."""

        async def ready() -> None:
            seen = len(await self.pods()), len(await self.pods(ready=False))
            assert seen == (count, count), f"{self.name}: {seen[0]} of {seen[1]} pods are ready, {count} are to be"

        await eventually(ready, within=READY_WITHIN, every=0.5)

    async def tell(self, **state: Any) -> None:
        """Change the state of one of its pods."""
        await self.ask("/state", state)

    async def publish(self, topic: str, count: int, **more: int) -> list[int]:
        """Publish through its sidecar; returns the statuses."""
        statuses: list[int] = await self.ask("/publish", {"topic": topic, "count": count, **more})
        return statuses

    async def ask(self, path: str, body: dict[str, Any]) -> Any:
        """Send to the first of its pods, whether it is ready or not."""
        pods = sorted(await self.pods(ready=False), key=lambda pod: str(pod["metadata"]["name"]))
        assert pods, f"{self.name} has no pod"
        proxy = ServiceProxy(self.drills.kube.client, NAMESPACE, pods[0]["metadata"]["name"], PORT, kind="pods")
        answer = await proxy.request("POST", path, json=body)
        assert answer.status_code == 200, f"{self.name}{path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    async def scale(self, replicas: int) -> None:
        """Set how many pods it should have."""
        await self.drills.patch("Deployment", self.name, {"spec": {"replicas": replicas}})

    async def restart(self, **state: Any) -> None:
        """Replace its pods, one at a time, by ones that start with another state.

        Some pod stays ready: Alertmanager tells nobody of an alert's end while ServiceUnavailable holds the alert back.
        """
        found = await self.drills.kube.get(self.drills.place("Deployment", self.name))
        (container,) = found["spec"]["template"]["spec"]["containers"]
        container["env"][1]["value"] = json.dumps(state)
        change = {"spec": {"template": {"spec": {"containers": [container]}}}}
        await self.drills.patch("Deployment", self.name, change)

    async def end(self) -> None:
        """Take it away."""
        await self.drills.delete("Deployment", self.name)


def manifests(file: str, name: str = "") -> list[dict[str, Any]]:
    """The objects of a file of k8s-fixtures/faults, called `name` where it says ${service}."""
    text = (FAULTS / file).read_text(encoding="utf-8").replace("${service}", name)
    return [one for one in yaml.safe_load_all(text) if one]

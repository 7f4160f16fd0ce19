"""What the suites ask of the API server itself: secrets, pods, deletions, evictions, commands in containers."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
from tests.e2e.sockets import Ran, Running, Sockets

_MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Kube:
    """The objects of the services' namespace. What the API server refuses fails the test with its words."""

    client: httpx.AsyncClient
    sockets: Sockets
    namespace: str

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        """Get an object or a list by its path below the API server."""
        return _shown(await self.client.get(path, params=params))

    async def secret(self, name: str, key: str) -> str:
        """One value of a Secret."""
        found = await self.get(f"api/v1/namespaces/{self.namespace}/secrets/{name}")
        keys = sorted(found["data"])  # a failed assertion is written down with what it looks at: never the values
        assert key in keys, f"the secret {name} has {keys} and no {key}"
        return base64.b64decode(found["data"][key]).decode()

    async def pods(self, service: str) -> list[dict[str, Any]]:
        """The pods of a service or a fixture that are not on their way out, oldest first."""
        path = f"api/v1/namespaces/{self.namespace}/pods"
        found = await self.get(path, labelSelector=f"app.kubernetes.io/name={service}")
        alive = [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]
        return sorted(alive, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    async def ready_pods(self, service: str) -> list[dict[str, Any]]:
        """Those of them that are ready."""
        return [pod for pod in await self.pods(service) if is_ready(pod)]

    async def one_pod(self, service: str) -> str:
        """The name of one pod that is ready."""
        pods = await self.ready_pods(service)
        assert pods, f"{service} has no pod that is ready"
        return str(pods[0]["metadata"]["name"])

    async def scaled(self, service: str) -> dict[str, Any]:
        """A service's Deployment."""
        return await self.get(f"apis/apps/v1/namespaces/{self.namespace}/deployments/{service}")

    async def scale(self, name: str, replicas: int, *, kind: str = "deployments") -> None:
        """Set the number of pods of a Deployment, or of another kind that has one."""
        path = f"apis/apps/v1/namespaces/{self.namespace}/{kind}/{name}/scale"
        await self.patch(path, {"spec": {"replicas": replicas}})

    @asynccontextmanager
    async def without(self, statefulset: str) -> AsyncIterator[None]:
        """Take the pod of a StatefulSet away for the time of the block; whatever ends that, it is asked for again."""
        await self.scale(statefulset, 0, kind="statefulsets")
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self.scale(statefulset, 1, kind="statefulsets")

    async def patch(self, path: str, change: dict[str, Any]) -> None:
        """Change an object by its path below the API server, by a merge patch (RFC 7386)."""
        _shown(await self.client.patch(path, json=change, headers={"Content-Type": _MERGE}))

    async def delete(self, pod: str, *, grace_seconds: int | None = None) -> None:
        """Delete a pod; with 0 it is killed, and its processes get no time to finish anything."""
        path = f"api/v1/namespaces/{self.namespace}/pods/{pod}"
        params = {} if grace_seconds is None else {"gracePeriodSeconds": str(grace_seconds)}
        _shown(await self.client.delete(path, params=params))

    async def delete_all(self, kind: str, selector: str) -> None:
        """Delete what a selector finds of a kind, such as `apis/apps/v1/deployments`."""
        group, _, plural = kind.rpartition("/")
        path = f"{group}/namespaces/{self.namespace}/{plural}"
        for one in (await self.get(path, labelSelector=selector))["items"]:
            await self.client.delete(f"{path}/{one['metadata']['name']}")

    async def evict(self, pod: str) -> httpx.Response:
        """Ask to evict a pod, as a drain does: 201, or 429 where a disruption budget forbids it."""
        path = f"api/v1/namespaces/{self.namespace}/pods/{pod}"
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace}}
        return await self.client.post(f"{path}/eviction", json=body)

    async def run(self, pod: str, container: str, command: Sequence[str]) -> Ran:
        """Run a command in a container."""
        return await self.sockets.run(self.namespace, pod, container, command)

    def command(self, pod: str, container: str, command: Sequence[str]) -> AbstractAsyncContextManager[Running]:
        """Start a command in a container."""
        return self.sockets.command(self.namespace, pod, container, command)


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod's condition Ready is true."""
    conditions = pod["status"].get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _shown(response: httpx.Response) -> dict[str, Any]:
    assert response.is_success, f"{response.request.method} {response.request.url.path}: {response.text[:500]}"
    body = response.json()
    assert isinstance(body, dict), response.text[:500]
    return body

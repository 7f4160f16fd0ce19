"""Pods that write lines and end, from a service's image: what the collector makes of them is looked at in Loki."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.kube import Kube

LOCKED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True)
class Writers:
    """Makes such pods, of a service's image."""

    kube: Kube
    service: str

    @asynccontextmanager
    async def pod(self, script: str, *arguments: str) -> AsyncIterator[str]:
        """Run a Python script in a pod of its own, whose name is also its service's; the pod goes with the block."""
        name = f"log-writer-{uuid.uuid4().hex[:8]}"
        path = f"api/v1/namespaces/{self.kube.namespace}/pods"
        response = await self.kube.client.post(path, json=await self._manifest(name, script, arguments))
        assert response.is_success, response.text[:500]
        try:
            yield name
        finally:
            await self.kube.delete(name, grace_seconds=0)

    async def ended(self, name: str) -> int:
        """The exit status of the pod's container; fails the assertion while it runs."""
        found = await self.kube.get(f"api/v1/namespaces/{self.kube.namespace}/pods/{name}")
        (status,) = found["status"].get("containerStatuses") or [{"state": {}}]
        assert "terminated" in status["state"], f"{name} has not ended: {status['state']}"
        return int(status["state"]["terminated"]["exitCode"])

    async def _manifest(self, name: str, script: str, arguments: Sequence[str]) -> dict[str, Any]:
        deployment = await self.kube.scaled(self.service)
        spec = deployment["spec"]["template"]["spec"]
        container = {
            "name": "writer",
            "image": spec["containers"][0]["image"],
            "command": ["python3", "-c", script, *arguments],
            "securityContext": LOCKED,
            "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"service": name, "sluice.dev/suite": "logs"}},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "securityContext": spec["securityContext"],
                "imagePullSecrets": spec.get("imagePullSecrets", []),
                "containers": [container],
            },
        }

"""Images brought to a node before anything runs there: what stands by must not need a registry in its worst hour."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx

from sluice.adapters.kubernetes.asking import asked
from sluice.adapters.waiting import until

_NAME = "pull-images"
_ALREADY_THERE, _NOT_THERE = 409, 404


async def pull_images(
    client: httpx.AsyncClient, namespace: str, references: Sequence[str], *, deadline_seconds: float
) -> None:
    """Have the node pull images, by a pod with a container of each that is removed again; how they end does not matter.

    `client` is connection.connect()'s. Raises NotReady at the deadline with those that are missing, or ClusterError.
    """
    pods = f"api/v1/namespaces/{quote(namespace)}/pods"
    await _removed(client, pods, "the pod of before")

    async def left() -> str | None:
        pod = _pod(namespace, references)
        await asked(client, "POST", pods, f"the pod {_NAME}", body=pod, besides=_ALREADY_THERE)
        found = (await asked(client, "GET", f"{pods}/{_NAME}", f"the pod {_NAME}", besides=_NOT_THERE)).json()
        if "deletionTimestamp" in found.get("metadata", {}):
            return "the pod of before is still there"
        statuses = found.get("status", {}).get("containerStatuses") or []
        here = {one["name"] for one in statuses if one.get("imageID")}
        waiting = {one["name"]: (one.get("state", {}).get("waiting") or {}).get("message", "") for one in statuses}
        names = [f"image-{number}" for number in range(len(references))]
        missing = [
            f"{reference}: {waiting.get(name) or 'not there yet'}"
            for name, reference in zip(names, references, strict=True)
            if name not in here
        ]
        return "; ".join(missing) or None

    await until(
        left,
        deadline_seconds=deadline_seconds,
        what="the images",
        next_command=f"kubectl --namespace {namespace} describe pod {_NAME}",
    )
    await _removed(client, pods, f"the pod {_NAME}")


async def _removed(client: httpx.AsyncClient, pods: str, what: str) -> None:
    path = f"{pods}/{_NAME}?gracePeriodSeconds=0"
    await asked(client, "DELETE", path, f"to remove {what}", besides=_NOT_THERE)


def _pod(namespace: str, references: Sequence[str]) -> dict[str, Any]:
    locked = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    containers = [
        {
            "name": f"image-{number}",
            "image": reference,
            "imagePullPolicy": "IfNotPresent",
            "args": ["--version"],
            "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}},
            "securityContext": locked,
        }
        for number, reference in enumerate(references)
    ]
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": containers}
    metadata = {"name": _NAME, "namespace": namespace, "labels": {"app.kubernetes.io/name": _NAME}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, "enableServiceLinks": False}}

"""What a release leaves behind on a kept cluster, and its removal: the next one begins as on a new cluster.

Databases with their schemas and rows, topics with their events and offsets, Jobs that made them, Helm's memory of
releases and every Secret go with the objects of the services' namespace; the run after it makes all of them anew.
Monitoring and logging stay and are upgraded by the next run. What Prometheus and Loki remember does no harm: objectives
ask for the run's own window, and the series of a pod end with it.
"""

import time
from pathlib import Path

import anyio
import httpx

from sluice.adapters.kubernetes import applied
from sluice.adapters.kubernetes.connection import connect
from sluice.errors import NotReady

# Autoscalers go first: they would scale what is being removed.
_KINDS = (
    "apis/autoscaling/v2/{}/horizontalpodautoscalers",
    "apis/apps/v1/{}/deployments",
    "apis/apps/v1/{}/statefulsets",
    "apis/batch/v1/{}/jobs",
    "api/v1/{}/persistentvolumeclaims",
    "api/v1/{}/configmaps",
    "api/v1/{}/secrets",
)
_PODS = "api/v1/{}/pods"
_GONE = (_PODS, "api/v1/{}/persistentvolumeclaims")


async def empty(kubeconfig: Path, namespace: str) -> None:
    """Remove all that a release left. Raises as `remove_all` does, and ClusterError for an unfit kubeconfig."""
    applied.forget_namespace(kubeconfig, namespace)
    async with connect(kubeconfig) as client:
        await remove_all(client, namespace)


async def remove_all(client: httpx.AsyncClient, namespace: str, *, seconds: float = 120, every: float = 1) -> None:
    """Remove what runs in a namespace and what it stored; returns when nothing of it is left.

    Raises NotReady where something stays for so many seconds, httpx.HTTPError where the API server refuses or is away.
    """
    for kind in _KINDS:
        await _ask(client, "DELETE", kind, namespace, propagationPolicy="Background")
    deadline = time.monotonic() + seconds
    while left := await _left(client, namespace):
        if time.monotonic() > deadline:
            raise NotReady(
                f"the namespace {namespace} is not empty after {seconds:g} s",
                seen=", ".join(left[:5]),
                expected="no pod and no volume",
                next_command="the next run makes the cluster anew",
            )
        # Killed: what they would still write is what is removed.
        await _ask(client, "DELETE", _PODS, namespace, gracePeriodSeconds="0")
        await anyio.sleep(every)


async def _left(client: httpx.AsyncClient, namespace: str) -> list[str]:
    found = []
    for kind in _GONE:
        listed = (await _ask(client, "GET", kind, namespace)).json()["items"]
        found += [f"{kind.rpartition('/')[2]}/{one['metadata']['name']}" for one in listed]
    return found


async def _ask(client: httpx.AsyncClient, method: str, kind: str, namespace: str, **params: str) -> httpx.Response:
    response = await client.request(method, kind.format(f"namespaces/{namespace}"), params=params)
    return response.raise_for_status()

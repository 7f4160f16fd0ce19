"""What a release leaves behind on a kept cluster, and its removal: the next one begins as on a new cluster.

Databases with their schemas and rows, topics with their events and offsets, Jobs that made them, Helm's memory of
releases and every Secret go with the objects of the services' namespace; the run after it makes all of them anew.
Prometheus forgets, too: an error budget that one release spent would count against the next. Monitoring and logging
stay otherwise and are upgraded by the next run; what Loki remembers harms none: only the run's own window is asked for.
"""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import httpx

from sluice.adapters.kubernetes import applied
from sluice.adapters.kubernetes.connection import connect
from sluice.errors import NotReady

_PODS = "api/v1/{}/pods"
_CLAIMS = "api/v1/{}/persistentvolumeclaims"
# Autoscalers go first: they would scale what is being removed.
_KINDS = (
    "apis/autoscaling/v2/{}/horizontalpodautoscalers",
    "apis/apps/v1/{}/deployments",
    "apis/apps/v1/{}/statefulsets",
    "apis/batch/v1/{}/jobs",
    _CLAIMS,
    "api/v1/{}/configmaps",
    "api/v1/{}/secrets",
)
_GONE = (_PODS, _CLAIMS)
_PROMETHEUS = "app.kubernetes.io/name=prometheus"


async def empty(kubeconfig: Path, services: str, monitoring: str) -> None:
    """Remove all that a release left. Raises as `remove_all` does, and ClusterError for an unfit kubeconfig."""
    applied.forget_namespace(kubeconfig, services)
    async with connect(kubeconfig) as client:
        await forget_metrics(client, monitoring)
        await remove_all(client, services)


async def forget_metrics(client: httpx.AsyncClient, namespace: str, *, seconds: float = 120, every: float = 1) -> None:
    """Take Prometheus' volume from it; the pod that its StatefulSet makes next begins with an empty one.

    Raises NotReady where the volume stays for so many seconds, httpx.HTTPError where the API server refuses or is away.
    """
    old = await _volumes(client, namespace)

    async def left() -> list[str]:
        # By their uid: the claim that comes next has the name of the last.
        return [f"persistentvolumeclaims/{old[uid]}" for uid in sorted(old.keys() & await _volumes(client, namespace))]

    await _ask(client, "DELETE", _CLAIMS, namespace, labelSelector=_PROMETHEUS)
    # A claim goes with the last pod that uses it.
    await _kill_until(client, namespace, left, seconds=seconds, every=every, labelSelector=_PROMETHEUS)


async def remove_all(client: httpx.AsyncClient, namespace: str, *, seconds: float = 120, every: float = 1) -> None:
    """Remove what runs in a namespace and what it stored; returns when nothing of it is left.

    Raises NotReady where something stays for so many seconds, httpx.HTTPError where the API server refuses or is away.
    """
    for kind in _KINDS:
        await _ask(client, "DELETE", kind, namespace, propagationPolicy="Background")
    # Killed: what they would still write is what is removed.
    await _kill_until(client, namespace, lambda: _left(client, namespace), seconds=seconds, every=every)


async def _kill_until(
    client: httpx.AsyncClient,
    namespace: str,
    left: Callable[[], Awaitable[list[str]]],
    *,
    seconds: float,
    every: float,
    **pods: str,
) -> None:
    """Delete these pods, and those that come after them, until nothing is left."""
    deadline = time.monotonic() + seconds
    while True:
        await _ask(client, "DELETE", _PODS, namespace, gracePeriodSeconds="0", **pods)
        if not (found := await left()):
            return
        if time.monotonic() > deadline:
            raise _stays(namespace, seconds, found)
        await anyio.sleep(every)


async def _volumes(client: httpx.AsyncClient, namespace: str) -> dict[str, str]:
    """The names of Prometheus' claims by their uid."""
    listed = (await _ask(client, "GET", _CLAIMS, namespace, labelSelector=_PROMETHEUS)).json()["items"]
    return {one["metadata"]["uid"]: one["metadata"]["name"] for one in listed}


def _stays(namespace: str, seconds: float, left: list[str]) -> NotReady:
    return NotReady(
        f"what a release left in the namespace {namespace} is not gone after {seconds:g} s",
        seen=", ".join(left[:5]),
        expected="no pod and no volume of it",
        next_command="the next run makes the cluster anew",
    )


async def _left(client: httpx.AsyncClient, namespace: str) -> list[str]:
    found = []
    for kind in _GONE:
        listed = (await _ask(client, "GET", kind, namespace)).json()["items"]
        found += [f"{kind.rpartition('/')[2]}/{one['metadata']['name']}" for one in listed]
    return found


async def _ask(client: httpx.AsyncClient, method: str, kind: str, namespace: str, **params: str) -> httpx.Response:
    response = await client.request(method, kind.format(f"namespaces/{namespace}"), params=params)
    return response.raise_for_status()

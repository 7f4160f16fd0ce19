"""Reads of what runs in a cluster: pods, events, rollouts, logs, and a closer look at them."""

from collections import deque
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from sluice.adapters.kubernetes import objects
from sluice.adapters.kubernetes.answers import refused, unreachable
from sluice.adapters.kubernetes.inspection import ask_sidecar, describe, sidecar_port
from sluice.ports import ClusterEvent, LogTail, PodState, Rollout, Sidecar

_PAGE = "500"
_ROLLOUT_KINDS = {
    "deployments": "apis/apps/v1",
    "statefulsets": "apis/apps/v1",
    "daemonsets": "apis/apps/v1",
    "jobs": "apis/batch/v1",
}


class ApiWorkloads:
    """Implements ports.Inspection over a client of `connection.connect`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def pods(self, namespace: str = "", *, selector: str = "") -> tuple[PodState, ...]:
        """The pods of a namespace, or of all."""
        return tuple(objects.pod(item) for item in await self._list("api/v1", namespace, "pods", selector))

    async def events(self, namespace: str = "") -> tuple[ClusterEvent, ...]:
        """The events of a namespace, or of all, oldest first."""
        events = [objects.event(item) for item in await self._list("api/v1", namespace, "events", "")]
        return tuple(sorted(events, key=lambda event: event.at))

    async def rollouts(self, namespace: str = "", *, selector: str = "") -> tuple[Rollout, ...]:
        """The Deployments, StatefulSets, DaemonSets and Jobs of a namespace, or of all."""
        found: list[Rollout] = []
        for kind, group in _ROLLOUT_KINDS.items():
            items = await self._list(group, namespace, kind, selector)
            found += [objects.rollout(kind.removesuffix("s"), item) for item in items]
        return tuple(found)

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail_lines: int,
        max_bytes: int,
    ) -> LogTail:
        """The last lines of a container, or of the instance before it; at most `max_bytes` of them.

        Raises ClusterError, also when there was no instance before it.
        """
        path = f"api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"
        what = f"the {'previous ' if previous else ''}log of {namespace}/{pod} {container}"
        params = {"container": container, "tailLines": str(tail_lines), "previous": str(previous).lower()}
        # The API's own limitBytes keeps the first bytes; what tells of a failure are the last ones.
        kept: deque[bytes] = deque()
        size = total = 0
        try:
            async with self._client.stream("GET", path, params=params) as response:
                if response.is_error:
                    await response.aread()
                    raise refused(response, what)
                async for chunk in response.aiter_bytes():
                    kept.append(chunk)
                    size += len(chunk)
                    total += len(chunk)
                    while size - len(kept[0]) >= max_bytes:
                        size -= len(kept.popleft())
        except httpx.HTTPError as error:
            raise unreachable(self._client, what, error) from error
        text = b"".join(kept)[-max_bytes:] if max_bytes else b""
        return LogTail(text.decode(errors="replace"), total - len(text))

    async def describe(self, namespace: str, pod: str) -> str:
        """A pod as YAML, without what tells nothing and what may hold secrets."""
        return describe(await self._get(f"api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}", f"pod {pod}"))

    async def sidecars(self, namespace: str) -> tuple[Sidecar, ...]:
        """What each Dapr sidecar of a namespace says, asked at its public port through the API server."""
        items = await self._list("api/v1", namespace, "pods", "")
        pods = [(item["metadata"]["name"], port) for item in items if (port := sidecar_port(item))]
        return tuple([await ask_sidecar(self._client, namespace, pod, port) for pod, port in pods])

    async def born(self) -> float:
        """When this cluster was made, in seconds since the epoch: as old as its oldest namespace."""
        found = await self._get("api/v1/namespaces/kube-system", "the namespace kube-system")
        return datetime.fromisoformat(found["metadata"]["creationTimestamp"]).timestamp()

    async def secret_values(self, namespace: str) -> tuple[str, ...]:
        """What the Secrets of a namespace hold that people or the pipeline made: nothing written may hold these."""
        items = await self._list("api/v1", namespace, "secrets", "")
        return tuple(value for item in items if item.get("type") == "Opaque" for value in objects.secret_values(item))

    async def _get(self, path: str, what: str, **params: str) -> dict[str, Any]:
        try:
            response = await self._client.get(path, params=params)
        except httpx.HTTPError as error:
            raise unreachable(self._client, what, error) from error
        if response.is_error:
            raise refused(response, what)
        found: dict[str, Any] = response.json()
        return found

    async def _list(self, group: str, namespace: str, kind: str, selector: str) -> list[dict[str, Any]]:
        path = f"{group}/namespaces/{quote(namespace)}/{kind}" if namespace else f"{group}/{kind}"
        what = f"{kind} of {namespace or 'all namespaces'}"
        params = {"limit": _PAGE} | ({"labelSelector": selector} if selector else {})
        items: list[dict[str, Any]] = []
        while True:
            body = await self._get(path, what, **params)
            items += body.get("items") or []
            rest = body.get("metadata", {}).get("continue")
            if not rest:
                return items
            params["continue"] = rest

"""A canary's objects through the API server: put there, waited for, looked after, taken away."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import anyio
import httpx

from sluice.adapters.kubernetes.asking import asked
from sluice.adapters.kubernetes.rollout import culprit, pod_blame
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.errors import ClusterError, NotReady
from sluice.ports import ClusterEvent, PodState
from sluice.promotion.canary import canary_name, canary_selector

_COLLECTIONS = {"Deployment": "apis/apps/v1", "ConfigMap": "api/v1"}
# https://kubernetes.io/docs/reference/using-api/server-side-apply/: JSON is YAML.
_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_MANAGER = "sluice"
_LOG_LINES, _LOG_BYTES = 12, 4_000
# A container that waits for one of these does not get on by waiting longer.
_HOPELESS = (
    "CrashLoopBackOff",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)


class ApiCanary:
    """Implements steps.canary.CanaryCluster over a client of `connection.connect`, in one namespace."""

    def __init__(self, client: httpx.AsyncClient, namespace: str, *, poll_seconds: float = 1.0) -> None:
        self._client = client
        self._namespace = namespace
        self._poll_seconds = poll_seconds
        self._workloads = ApiWorkloads(client)

    async def stable_pods(self, service: str) -> int:
        """How many pods of the service's own Deployment are available; 0 where there is none. Raises ClusterError."""
        found = await self._deployment(service)
        return int((found or {}).get("status", {}).get("availableReplicas") or 0)

    async def apply(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Put objects there as they are given, by server-side apply. Raises ClusterError."""
        for one in objects:
            name = one["metadata"]["name"]
            query = urlencode({"fieldManager": _MANAGER, "force": "true"})
            path = f"{self._path(one['kind'])}/{quote(name)}?{query}"
            what = f"{one['kind']} {self._namespace}/{name}"
            await asked(self._client, "PATCH", path, what, body=one, headers=_APPLY)

    async def wait_ready(self, service: str, *, replicas: int, deadline_seconds: float) -> None:
        """Return once so many canary pods are available.

        Raises NotReady at the deadline, and at once where a pod will not get on: with its last words.
        """
        last = "no answer of the API server"
        with anyio.move_on_after(deadline_seconds):
            while True:
                try:
                    found = await self._deployment(canary_name(service))
                    cause = _missing(found, replicas)
                    if not cause:
                        return
                    pods = await self._pods(service)
                    hopeless = [pod for pod in pods if _crashed(pod)]
                except ClusterError as error:  # it comes and goes
                    last = error.seen
                else:
                    if hopeless:
                        last = await self._blame(hopeless)
                        raise self._not_ready(service, "will not become ready", last)
                    last = "; ".join([cause, *(_state(pod) for pod in pods if not pod.ready)])
                await anyio.sleep(self._poll_seconds)
        raise self._not_ready(service, f"not ready within {deadline_seconds:.0f} s", last)

    async def trouble(self, service: str) -> str:
        """Why a canary pod is not well, with its last words; empty where all are. Raises ClusterError."""
        pods = await self._pods(service)
        if not pods:
            return f"{canary_name(service)} has no pods any more"
        return await self._blame([pod for pod in pods if _crashed(pod) or not pod.ready])

    async def remove(self, service: str, *, deadline_seconds: float) -> None:
        """Take everything of a canary away, also what a killed run left; return once no pod of it is sent requests.

        What ends may still finish the requests that it has. Raises NotReady at the deadline, or ClusterError.
        """
        query = urlencode({"labelSelector": canary_selector(service), "propagationPolicy": "Background"})
        last = "no answer of the API server"
        with anyio.move_on_after(deadline_seconds):
            for kind in _COLLECTIONS:
                what = f"to delete the {kind} of the canary of {service}"
                await asked(self._client, "DELETE", f"{self._path(kind)}?{query}", what)
            while True:
                try:
                    found, pods = await self._deployment(canary_name(service)), await self._pods(service)
                except ClusterError as error:
                    last = error.seen
                else:
                    if not found and not pods:
                        return
                    last = ", ".join(pod.name for pod in pods) or f"the Deployment {canary_name(service)}"
                await anyio.sleep(self._poll_seconds)
        raise NotReady(
            f"the canary of {service} is not gone after {deadline_seconds:.0f} s",
            seen=last,
            expected="no Deployment and no pod of it",
            next_command=f"kubectl -n {self._namespace} delete deployment {canary_name(service)}",
        )

    def _path(self, kind: str) -> str:
        return f"/{_COLLECTIONS[kind]}/namespaces/{quote(self._namespace)}/{kind.lower()}s"

    async def _deployment(self, name: str) -> dict[str, Any] | None:
        what = f"Deployment {self._namespace}/{name}"
        path = f"{self._path('Deployment')}/{quote(name)}"
        answer = await asked(self._client, "GET", path, what, besides=httpx.codes.NOT_FOUND)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: dict[str, Any] = answer.json()
        return found

    async def _pods(self, service: str) -> list[PodState]:
        """The canary's pods but for those that are ending, such as what an earlier one left."""
        pods = await self._workloads.pods(self._namespace, selector=canary_selector(service))
        return [pod for pod in pods if pod.phase != "Terminating"]

    async def _blame(self, pods: Sequence[PodState]) -> str:
        if not pods:
            return ""
        events = await self._workloads.events(self._namespace)
        return "\n            ".join([line for pod in pods[:2] for line in await self._words(pod, events)])

    async def _words(self, pod: PodState, events: Sequence[ClusterEvent]) -> list[str]:
        """Those of pod_blame, and the end of what was started again: as it is now it may look well."""
        lines = await pod_blame(self._workloads, pod, events)
        for one in pod.containers if culprit(pod) is None else ():
            if one.restarts:
                lines.append(f"container {one.name} was started again: {one.last_exit or 'how it ended is not known'}")
                with suppress(ClusterError):  # the log of the instance before may be gone
                    tail = await self._workloads.logs(
                        pod.namespace, pod.name, one.name, previous=True, tail_lines=_LOG_LINES, max_bytes=_LOG_BYTES
                    )
                    lines += [f"| {line}" for line in tail.text.splitlines()]
        return lines

    def _not_ready(self, service: str, how: str, seen: str) -> NotReady:
        return NotReady(
            f"the canary of {service} {'is ' if how.startswith('not') else ''}{how}",
            seen=seen,
            expected="every pod ready",
            next_command=f"kubectl -n {self._namespace} describe pods -l {canary_selector(service)}",
        )


def _missing(deployment: Mapping[str, Any] | None, replicas: int) -> str:
    """Why a Deployment has not so many pods available yet, or has other ones; empty where it has them."""
    if deployment is None:
        return "its Deployment is not there"
    status = deployment.get("status", {})
    if int(status.get("observedGeneration") or 0) < int(deployment["metadata"].get("generation") or 0):
        return "its controller has not seen the change yet"
    available, updated = int(status.get("availableReplicas") or 0), int(status.get("updatedReplicas") or 0)
    others = int(status.get("replicas") or 0) - updated
    if available >= replicas and updated >= replicas and not others:
        return ""
    return f"{available} of {replicas} pods are available"


def _crashed(pod: PodState) -> bool:
    return any(one.restarts or one.reason in _HOPELESS for one in pod.containers) or pod.phase == "Failed"


def _state(pod: PodState) -> str:
    return f"{pod.name} is {pod.phase}" + (f": {pod.message}" if pod.message else "")

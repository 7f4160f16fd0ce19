"""Jobs: started from a CronJob before its time, waited for, and what they said last."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import anyio
import httpx

from sluice.adapters.kubernetes.asking import asked
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.errors import ClusterError, NotReady, RecoveryError
from sluice.ports import PodState

_JOBS = "apis/batch/v1"
_LOG_LINES, _LOG_BYTES = 20, 8_000
_ALREADY_THERE = 409


class Jobs:
    """Jobs of a cluster, over a client of `connection.connect`."""

    def __init__(self, client: httpx.AsyncClient, *, poll_seconds: float = 0.5) -> None:
        self._client = client
        self._poll_seconds = poll_seconds
        self._workloads = ApiWorkloads(client)

    async def start_from(self, namespace: str, cronjob: str, name: str) -> None:
        """Start what a CronJob would, now, as the Job `name`; one that is there is left. Raises ClusterError."""
        path = f"{_JOBS}/namespaces/{quote(namespace)}"
        found = await self._asked("GET", f"{path}/cronjobs/{quote(cronjob)}", f"the CronJob {namespace}/{cronjob}")
        template = found["spec"]["jobTemplate"]
        labels = template.get("metadata", {}).get("labels", {})
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": template["spec"],
        }
        await self._asked("POST", f"{path}/jobs", f"the Job {namespace}/{name}", body=job, besides=_ALREADY_THERE)

    async def ended(self, namespace: str, name: str, *, deadline_seconds: float) -> dict[str, Any]:
        """Wait for the end of a Job and return the JSON object that its last line is, empty where it is none.

        Raises RecoveryError with its last words where it failed, NotReady at the deadline with why it had no end.
        """
        path = f"{_JOBS}/namespaces/{quote(namespace)}/jobs/{quote(name)}"
        last = "no answer of the API server"
        with anyio.move_on_after(deadline_seconds):
            while True:
                try:
                    status = (await self._asked("GET", path, f"the Job {namespace}/{name}")).get("status") or {}
                    conditions = {one["type"]: one for one in status.get("conditions") or () if one["status"] == "True"}
                    if "Complete" in conditions:
                        return _json_in(await self._said(namespace, name))
                    if "Failed" in conditions:
                        raise RecoveryError(
                            f"the Job {namespace}/{name} failed: {conditions['Failed'].get('message', '')}",
                            seen="\n            ".join((await self._said(namespace, name)).splitlines()[-8:]),
                            expected="its success",
                            next_command=f"kubectl --namespace {namespace} logs job/{name}",
                        )
                    last = "; ".join(await self._states(namespace, name)) or "it has no pod yet"
                except ClusterError as error:  # it comes and goes
                    last = error.seen
                await anyio.sleep(self._poll_seconds)
        raise NotReady(
            f"the Job {namespace}/{name} did not end within {deadline_seconds:.0f} s",
            seen=last,
            expected="its end",
            next_command=f"kubectl --namespace {namespace} describe job/{name}",
        )

    async def _states(self, namespace: str, name: str) -> list[str]:
        pods = await self._workloads.pods(namespace, selector=f"job-name={name}")
        return [f"{pod.name}: {pod.phase}" for pod in pods]

    async def _said(self, namespace: str, name: str) -> str:
        """The last lines of its pods."""
        pods = await self._workloads.pods(namespace, selector=f"job-name={name}")
        return "".join([await self._words(pod) for pod in pods])

    async def _words(self, pod: PodState) -> str:
        """The last lines of a pod's containers; none of one that has not begun."""
        said = ""
        for container in pod.containers:
            with suppress(ClusterError):
                tail = await self._workloads.logs(
                    pod.namespace, pod.name, container.name, tail_lines=_LOG_LINES, max_bytes=_LOG_BYTES
                )
                said += tail.text
        return said

    async def _asked(self, method: str, path: str, what: str, *, body: Any = None, besides: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = (await asked(self._client, method, path, what, body=body, besides=besides)).json()
        return found


def _json_in(said: str) -> dict[str, Any]:
    for line in reversed(said.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            return found if isinstance(found, dict) else {}
    return {}

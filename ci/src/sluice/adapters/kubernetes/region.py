"""A region: one cluster with its services, its database and its mirror, asked and switched through its API server."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from sluice.adapters.kubernetes.asking import ask, asked
from sluice.adapters.kubernetes.ledger import TargetLedger
from sluice.adapters.kubernetes.rollout import wait_rolled_out
from sluice.adapters.kubernetes.running import running_images
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.adapters.process import run
from sluice.adapters.waiting import until
from sluice.errors import ClusterError, FailoverError, SluiceError
from sluice.promotion.ledger import verified
from sluice.promotion.ledger_file import read_copy
from sluice.regions.model import CONFIG_MAP, Database, Marker

_NOT_THERE = 404
_APPS = "apis/apps/v1"
_MERGE, _APPLY = ({"Content-Type": f"application/{kind}"} for kind in ("merge-patch+json", "apply-patch+yaml"))
_ASK_SECONDS = 20.0
SERVER, MIRROR = "postgresql", "mirror"
_SERVER_POD = f"{SERVER}-0"
_PSQL = ("psql", "--host=/tmp", "--username=postgres", "--dbname=postgres", "--no-psqlrc", "--quiet")
# One row of JSON, of a primary as of a standby (https://www.postgresql.org/docs/15/functions-admin.html). Only the
# branch that is taken is asked: a standby has no current position.
STATE = """SELECT json_build_object('standby', pg_is_in_recovery(),
 'timeline', (SELECT timeline_id FROM pg_control_checkpoint()),
 'at', (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0')::bigint,
 'received', (CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
   ELSE pg_current_wal_lsn() END - '0/0')::bigint,
 'streaming', EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
 'last_commit', extract(epoch FROM pg_last_xact_replay_timestamp()))"""
_PROMOTE = "SELECT pg_promote(wait := true, wait_seconds := {seconds})"
# The control file, by which pg_rewind compares, learns of the new timeline at a checkpoint.
_CHECKPOINT = "CHECKPOINT"


class RegionCluster:
    """One region, over a client of `connection.connect`; `services` are the names of the system's own.

    Implements the protocols of steps.look_at_region, fence_region and promote_region.
    """

    def __init__(
        self,
        name: str,
        cluster: str,
        client: httpx.AsyncClient,
        *,
        kubectl: Path,
        kubeconfig: Path,
        namespace: str,
        services: Sequence[str],
        ledger_copy: Path,
        log: Path,
    ) -> None:
        """`cluster` is that of the settings; `ledger_copy` this host's copy of the region's ledger."""
        self.name = name
        self._cluster = cluster
        self.client = client
        self._kubectl: list[str | Path] = [kubectl, "--kubeconfig", kubeconfig, "--namespace", namespace]
        self._namespace = namespace
        self._services = tuple(services)
        self._copy = ledger_copy
        self._log = log
        self._workloads = ApiWorkloads(client)

    async def unreachable(self) -> str:
        """Why its API server does not answer; empty where it does."""
        try:
            answer = await ask(self.client, "GET", "readyz", f"{self.name}'s state", longest_seconds=5)
        except (SluiceError, httpx.HTTPError) as error:
            return getattr(error, "seen", "") or str(error)
        return "" if answer.is_success else f"{answer.status_code}: {answer.text[:200]}"

    async def marker(self) -> Marker | None:
        """What its ConfigMap says; None where there is none, or one that says nothing. Raises ClusterError."""
        path = self._path("api/v1", "configmaps", CONFIG_MAP)
        answer = await self._asked("GET", path, "the ConfigMap region", besides=_NOT_THERE)
        if answer.status_code == _NOT_THERE:
            return None
        try:
            return Marker.read(answer.json().get("data") or {})
        except ValueError:
            return None

    async def mark(self, marker: Marker) -> None:
        """Write down what it is from now on. Raises ClusterError."""
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG_MAP, "namespace": self._namespace},
            "data": marker.data(self._cluster),
        }
        query = urlencode({"fieldManager": "sluice", "force": "true"})
        path = self._path("api/v1", "configmaps", CONFIG_MAP)
        await self._asked("PATCH", f"{path}?{query}", "to write the ConfigMap region", body=body, headers=_APPLY)

    async def trouble(self) -> list[str]:
        """Its nodes and workloads that are not ready, and why. Raises ClusterError."""
        found = []
        for node in (await self._asked("GET", "api/v1/nodes", "the nodes")).json()["items"]:
            ready = next((one for one in node["status"].get("conditions") or () if one["type"] == "Ready"), None)
            if ready is None or ready["status"] != "True":
                why = f"{ready['reason']}: {ready['message']}" if ready else "it has not told its state"
                found.append(f"node {node['metadata']['name']} is not ready, {why}")
        workloads = [one for one in await self._workloads.rollouts(self._namespace) if one.kind != "Job"]
        return found + [f"{one.kind}/{one.name}: {one.detail}" for one in workloads if not one.done]

    async def images(self) -> dict[str, tuple[str, ...]]:
        """What its services are told to run, by `service/container`. Raises ClusterError."""
        found = await running_images(self.client, [self._namespace])
        parts = {tuple(name.split("/")[1:]): images for name, images in found.items()}
        return {"/".join(part): images for part, images in parts.items() if part[0] in self._services}

    async def release(self) -> str:
        """The digest of the release that was last verified there; empty where none was. Raises LedgerError."""
        ledger = TargetLedger(self.client, self._namespace, ledger_name(self.name), self._copy)
        last = verified(await ledger.read())
        return last.release if last else ""

    async def database(self) -> Database:
        """Its server, as it answers. Raises FailoverError where it does not."""
        said = await self.sql(STATE)
        try:
            return database_of(said)
        except (ValueError, KeyError, TypeError):
            raise self._no_answer(said[:200] or "nothing") from None

    async def sql(self, statement: str, *, deadline_seconds: float = _ASK_SECONDS) -> str:
        """What its superuser gets for a statement that holds no secret. Raises FailoverError."""
        words = (*_PSQL, "--tuples-only", "--no-align", f"--command={statement}")
        return await self._exec(*words, seconds=deadline_seconds)

    async def allow_following(self) -> None:
        """Make the role that the other region follows with; on a primary only. Raises FailoverError."""
        password = "REPLICATION_PASSWORD_FILE=/etc/secrets/replication/password"
        await self._exec("env", password, *_PSQL, "--file=/etc/postgresql/replication.sql", seconds=60)

    async def promote(self, *, deadline_seconds: float) -> None:
        """Have the server follow nobody any more; one that follows nobody is left. Raises FailoverError."""
        if (await self.database()).standby:
            statement = _PROMOTE.format(seconds=int(deadline_seconds))
            if (said := await self.sql(statement, deadline_seconds=deadline_seconds + 5)) != "t":
                raise FailoverError(
                    f"{self.name}'s database is not promoted after {deadline_seconds:.0f} s",
                    seen=f"pg_promote said {said!r}",
                    expected="t",
                    next_command=f"kubectl --namespace {self._namespace} logs {_SERVER_POD}",
                )
        await self.sql(_CHECKPOINT, deadline_seconds=deadline_seconds)

    async def services(self, replicas: int, *, deadline_seconds: float) -> None:
        """Give its services so many pods each; returns when there are as many. Raises NotReady."""
        for name in self._services:
            await self._scale("deployments", name, replicas)
        if replicas:
            expect = [f"{self._namespace}/Deployment/{name}" for name in self._services]
            selector = f"app.kubernetes.io/instance in ({','.join(self._services)})"
            await wait_rolled_out(
                self._workloads, [self._namespace], deadline_seconds=deadline_seconds, expect=expect, selector=selector
            )
            return
        for name in self._services:
            await self._gone(f"app.kubernetes.io/instance={name}", name, deadline_seconds)

    async def server(self, *, running: bool, deadline_seconds: float) -> None:
        """Start its server or end it in order; returns when it is up, or gone. Raises NotReady."""
        await self._scale("statefulsets", SERVER, int(running))
        selector = f"app.kubernetes.io/name={SERVER}"
        if not running:
            await self._gone(selector, SERVER, deadline_seconds)
            return
        expect = [f"{self._namespace}/StatefulSet/{SERVER}"]
        await wait_rolled_out(
            self._workloads, [self._namespace], deadline_seconds=deadline_seconds, expect=expect, selector=selector
        )

    async def stop_mirror(self, *, deadline_seconds: float) -> None:
        """End the mirror; returns when it is gone, or there was none. Raises NotReady."""
        await self._scale("deployments", MIRROR, 0)
        await self._gone(f"app.kubernetes.io/name={MIRROR}", MIRROR, deadline_seconds)

    async def empty(self, statefulset: str, *, deadline_seconds: float) -> None:
        """Remove a StatefulSet's pod and volume; whoever applies it again gets an empty one. Raises NotReady."""
        await self._scale("statefulsets", statefulset, 0)
        await self._gone(f"app.kubernetes.io/name={statefulset}", statefulset, deadline_seconds)
        path = self._path("api/v1", "persistentvolumeclaims", f"data-{statefulset}-0")
        what = f"the volume of {statefulset}"
        await self._asked("DELETE", path, f"to remove {what}", besides=_NOT_THERE)

        async def there() -> str | None:
            answer = await self._asked("GET", path, what, besides=_NOT_THERE)
            return None if answer.status_code == _NOT_THERE else "it is still there"

        await until(there, deadline_seconds=deadline_seconds, what=f"the end of {what} in {self.name}")

    async def _gone(self, selector: str, what: str, deadline_seconds: float) -> None:
        async def left() -> str | None:
            try:
                pods = await self._workloads.pods(self._namespace, selector=selector)
            except ClusterError as error:
                return error.seen
            # A Job's pod that has ended does nothing any more.
            alive = [f"{pod.name} is {pod.phase}" for pod in pods if pod.phase not in ("Succeeded", "Failed")]
            return "; ".join(alive) or None

        await until(
            left,
            deadline_seconds=deadline_seconds,
            what=f"the end of {what} in {self.name}",
            next_command=f"kubectl --namespace {self._namespace} get pods --selector {selector}",
        )

    async def _scale(self, kind: str, name: str, replicas: int) -> None:
        """Set the pods of a workload; one that is not there has none."""
        path = f"{self._path(_APPS, kind, name)}/scale"
        besides = 0 if replicas else _NOT_THERE
        body = {"spec": {"replicas": replicas}}
        await self._asked("PATCH", path, f"to scale {name}", body=body, headers=_MERGE, besides=besides)

    async def _exec(self, *words: str, seconds: float) -> str:
        """What a program says in the server's pod."""
        command: list[str | Path] = [*self._kubectl, "exec", _SERVER_POD, "--container", SERVER, "--", *words]
        try:
            done = await run(command, deadline_seconds=seconds, log=self._log, what=f"{words[0]} in {self.name}")
        except SluiceError as error:
            raise self._no_answer(error.seen) from None
        return done.stdout.strip()

    def _no_answer(self, seen: str) -> FailoverError:
        return FailoverError(
            f"{self.name}'s database does not answer",
            seen=seen,
            expected="an answer of psql in its pod",
            next_command=f"kubectl --namespace {self._namespace} logs {_SERVER_POD} --all-containers",
        )

    def _path(self, group: str, kind: str, name: str) -> str:
        return f"{group}/namespaces/{quote(self._namespace)}/{kind}/{quote(name)}"

    async def _asked(self, method: str, path: str, what: str, **more: Any) -> httpx.Response:
        return await asked(self.client, method, path, what, **more)


def database_of(said: str) -> Database:
    """Return what a server answers to STATE. Raises ValueError, KeyError or TypeError for anything else."""
    found: dict[str, Any] = json.loads(said)
    return Database(
        standby=bool(found["standby"]),
        timeline=int(found["timeline"]),
        at=int(found["at"] or 0),
        received=int(found["received"] or 0),
        streaming=bool(found["streaming"]),
        last_commit=float(found["last_commit"] or 0.0),
    )


def ledger_name(region: str) -> str:
    """Return under which name a region's ledger is kept."""
    return f"region-{region}"


def last_known(copy: Path) -> str:
    """Return the release that this host's copy of a ledger has last verified; empty where none. Raises LedgerError."""
    last = verified(read_copy(copy))
    return last.release if last else ""

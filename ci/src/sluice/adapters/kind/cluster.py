"""kind's cluster: made, found again, removed; and never one that is not ours."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx

from sluice.adapters.docker.engine import Engine
from sluice.adapters.kind.config import SERVICE_SUBNET
from sluice.adapters.kubernetes import applied
from sluice.adapters.process import run
from sluice.adapters.waiting import until
from sluice.errors import ClusterError, CommandFailed

_CREATE_SECONDS = 300
_READY_SECONDS = 120


class KindCluster:
    """A kind cluster of one name. `state_dir` keeps its kubeconfig and the mark that it is ours."""

    def __init__(self, engine: Engine, kind: Path, name: str, state_dir: Path, log: Path, *, reach: str = "") -> None:
        """`reach` is the name by which we call the engine's host, where that is another than this one."""
        self._reach = reach
        self._engine = engine
        self._kind = kind
        self.name = name
        self.node = f"{name}-control-plane"
        self.kubeconfig = state_dir / f"{name}.kubeconfig"
        self._mark = state_dir / f"{name}.json"
        self._log = log

    async def owned(self) -> bool:
        """Return whether a cluster of this name exists. Raises ClusterError where it exists and is not ours."""
        found = await self._engine.container(self.node)
        if found is None:
            return False
        mark, image = self._read_mark(), found["Config"]["Image"]
        # A start that was killed knows no id yet, but which image it was going to start.
        if mark is None or mark.get("node_id") not in (None, found["Id"]) or mark.get("image", image) != image:
            raise ClusterError(
                f"a kind cluster named {self.name} exists that Sluice did not make",
                seen=f"container {self.node}, {str(found['Id'])[:12]}, without our mark",
                expected="no such cluster, or one made by Sluice on this host",
                next_command=f"SLUICE_CLUSTER_NAME=another ./nox -s e2e   or   kind delete cluster --name {self.name}",
            )
        return True

    async def interrupted(self) -> str:
        """Return since when our cluster's node is not the one that was made: stopped, or started again; else nothing.

        kind mends the addresses in the node's own files then. It does not mend what else has the old one: a kubelet
        that comes up reads its Node as it was and gives the old address to pods on the host's network, where it stays
        (so node-exporter is scraped where nobody is), and the rules that we gave the node are gone.
        """
        found = await self._engine.container(self.node)
        if found is None:
            return ""
        if not found["State"]["Running"]:
            return f"its node is stopped since {found['State'].get('FinishedAt', 'some time')}"
        before, now = (self._read_mark() or {}).get("started"), found["State"].get("StartedAt")
        return f"its node was stopped, and started again: {now}" if before not in (None, now) else ""

    async def runs(self, node_image: str) -> bool:
        """Return whether our cluster runs the given node image ever since it was made, and its API server answers."""
        found = await self._engine.container(self.node)
        if found is None or found["Config"]["Image"] != node_image or await self.interrupted():
            return False
        return self.kubeconfig.exists() and await self._not_healthy() is None

    async def create(self, node_image: str, config: str, on_line: Callable[[str], None]) -> None:
        """Make the cluster and wait until its node is ready; on failure nothing of it is left.

        Raises ClusterError with kind's last words, NotReady with the node's condition.
        """
        # The mark comes first: a start that is killed leaves a cluster that is known to be ours.
        self._write_mark(node_image)
        try:
            try:
                await self._kind_create(node_image, config, on_line)
            except CommandFailed as error:
                # The engine may still have been at work for a run that was killed a moment ago.
                if "already exist" not in error.seen:
                    raise
                await self.delete()
                self._write_mark(node_image)
                await self._kind_create(node_image, config, on_line)
            if self._reach:  # kind writes the address that the port is published on
                text = self.kubeconfig.read_text()
                text = re.sub(r"(server: https?://)[^\s/]+(:\d+)", rf"\g<1>{self._reach}\g<2>", text)
                self.kubeconfig.write_text(text)
            self._write_mark(node_image, await self._engine.container(self.node))
            await self._keep_service_addresses_inside()
            await until(
                self._node_not_ready,
                deadline_seconds=_READY_SECONDS,
                what=f"the node {self.node}",
                next_command=f"docker exec {self.node} journalctl -u kubelet",
            )
        except CommandFailed as error:
            await self._keep_node_logs()
            await self.delete()
            raise ClusterError(
                "kind could not make the cluster",
                seen=error.seen,
                expected="a cluster",
                next_command=f"read {self._log} and {self._log.with_suffix('.node.log')}",
            ) from None
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._keep_node_logs()
                await self.delete()
            raise

    async def wake(self) -> bool:
        """Take our cluster's node again that was interrupted, started where it is stopped; returns whether it was.

        It counts as the one that was made then: whoever calls this has nothing in it on the host's network (see
        `interrupted`), and the rules that we gave the node are given anew. Raises NotReady where its API server does
        not answer then, ClusterError as `owned` does.
        """
        found = await self._engine.container(self.node)
        if found is None or not await self.owned() or not await self.interrupted():
            return False
        if not found["State"]["Running"]:
            await self._engine.docker("start", self.node, log=self._log)
        await until(
            self._not_healthy,
            deadline_seconds=_READY_SECONDS,
            what=f"the node {self.node}",
            next_command=f"docker exec {self.node} journalctl -u kubelet",
        )
        await self._keep_service_addresses_inside()
        self._write_mark(str(found["Config"]["Image"]), await self._engine.container(self.node))
        return True

    async def delete(self) -> bool:
        """Delete the cluster if it is ours; returns whether there was one."""
        existed = await self.owned()
        if existed:
            await run(
                [self._kind, "delete", "cluster", "--name", self.name, "--kubeconfig", self.kubeconfig],
                deadline_seconds=120,
                log=self._log,
                what="kind delete cluster",
            )
        self._mark.unlink(missing_ok=True)
        applied.forget(self.kubeconfig)
        self.kubeconfig.unlink(missing_ok=True)
        return existed

    async def _kind_create(self, node_image: str, config: str, on_line: Callable[[str], None]) -> None:
        await run(
            [
                self._kind,
                "create",
                "cluster",
                "--name",
                self.name,
                "--image",
                node_image,
                "--config",
                "-",
                "--kubeconfig",
                self.kubeconfig,
                "--wait",
                "0s",
                "--retain",
            ],  # what failed is looked into, then deleted
            stdin=config.encode(),
            deadline_seconds=_CREATE_SECONDS,
            log=self._log,
            on_line=lambda line: on_line(line.strip()),
            what="kind create cluster",
        )

    async def _keep_service_addresses_inside(self) -> None:
        """Refuse what goes to a service's address and was not sent on to a pod.

        kube-proxy writes its tables one after another: between them a service without pods is nobody's, and the packet
        leaves for the host's gateway. Where a proxy answers there in everybody's name, the API server keeps that
        connection, and the aggregated API that it takes it for is away for good.
        """
        refuse = ("-p", "tcp", "-d", SERVICE_SUBNET, "-j", "REJECT", "--reject-with", "tcp-reset")
        for chain in ("OUTPUT", "FORWARD"):
            await self._engine.docker("exec", self.node, "iptables", "-w", "-A", chain, *refuse, log=self._log)

    async def _keep_node_logs(self) -> None:
        await self._engine.docker(
            "exec",
            self.node,
            "journalctl",
            "--no-pager",
            "--lines",
            "400",
            check=False,
            log=self._log.with_suffix(".node.log"),
        )

    async def _not_healthy(self) -> str | None:
        try:
            nodes = await self._get("/readyz")
        except (httpx.HTTPError, OSError, ClusterError) as error:
            return f"{type(error).__name__}: {error}"
        return None if nodes.status_code == 200 else nodes.text[:200]

    async def _node_not_ready(self) -> str | None:
        try:
            answer = await self._get("/api/v1/nodes")
        except (httpx.HTTPError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        if answer.status_code != 200:
            return f"HTTP {answer.status_code}: {answer.text[:200]}"
        for node in answer.json()["items"]:
            ready = next((c for c in node["status"].get("conditions", []) if c["type"] == "Ready"), None)
            if ready is None:
                return "the node has registered and not told its state"
            if ready["status"] == "True":
                return None
            return f"{ready['reason']}: {ready['message']}"
        return "no node has registered"

    async def _get(self, path: str) -> httpx.Response:
        from sluice.adapters.kubernetes.connection import connect

        async with connect(self.kubeconfig) as client:
            return await client.get(path, timeout=5)

    def _read_mark(self) -> dict[str, str | None] | None:
        try:
            mark = json.loads(self._mark.read_text())
        except (OSError, ValueError):
            return None
        return mark if isinstance(mark, dict) else None

    def _write_mark(self, image: str, node: Mapping[str, Any] | None = None) -> None:
        node_id, started = (node["Id"], node["State"].get("StartedAt")) if node else (None, None)
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._mark.with_suffix(".tmp")
        mark = {"made_by": "sluice", "node_id": node_id, "image": image, "started": started}
        temporary.write_text(json.dumps(mark))
        os.replace(temporary, self._mark)

"""The local registry: a container beside the cluster that nodes pull from, so that only changed layers travel."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from sluice.adapters import host
from sluice.adapters.docker.beside import OURS, OWNER_LABEL, is_ours, join_network, refuse_foreign
from sluice.adapters.docker.engine import Engine
from sluice.adapters.docker.secured import Secured
from sluice.adapters.process import run
from sluice.adapters.waiting import until
from sluice.domain import Component, Image
from sluice.errors import ClusterError, HostError
from sluice.supply import artifact, oci

_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_HERE = "localhost"


class LocalRegistry:
    """A registry container on this host; `host` is its name for pushers and, on the nodes, for pullers."""

    def __init__(
        self,
        engine: Engine,
        cluster: str,
        port: int,
        *,
        publish: str = "127.0.0.1",
        reach: str = _HERE,
        secured: Secured | None = None,
    ) -> None:
        """`publish` is the address on the engine's host to listen on, `reach` the name by which we call that host.

        With `secured` it speaks TLS and asks for credentials, as a cloud's does.
        """
        self._secured = secured
        self._engine = engine
        self._port = port
        self._publish = publish
        # References say localhost everywhere: nodes have it mapped, and what is stored knows no name.
        self._local = reach == _HERE
        self._address = f"{reach}:{port}"
        self.container = f"{cluster}-registry"
        self.host = f"{_HERE}:{port}"

    async def start(self, image: str) -> None:
        """Start the registry, or keep the one that runs. Raises HostError when its port is taken by another."""
        found = await self._engine.container(self.container)
        if found is not None:
            refuse_foreign(self.container, found, "e2e")
            if self._listens(found) and (await self._answers()) is None:
                return
            await self._engine.docker("rm", "--force", self.container)
        if self._secured:
            self._secured.ensure(self.host, (self.container, _HERE, "127.0.0.1"))
        if self._local and not host.port_is_free(self._port):
            raise HostError(
                f"port {self._port} is taken, the local registry cannot listen on it",
                seen="another program listens there",
                expected="a free port",
                next_command="SLUICE_CLUSTER_REGISTRY_PORT=5002 ./nox -s e2e  (or registry_port under [cluster] in "
                "sluice.toml)",
            )
        await self._engine.docker("volume", "create", "--label", OURS, self.container)
        await self._engine.docker(
            "run",
            "--detach",
            "--name",
            self.container,
            "--label",
            OURS,
            "--restart",
            "no",
            "--publish",
            f"{self._publish}:{self._port}:5000",
            "--volume",
            f"{self.container}:/var/lib/registry",
            *(self._secured.run_arguments() if self._secured else ()),
            image,
            what="starting the local registry",
        )
        await until(
            self._answers,
            deadline_seconds=30,
            what=f"the local registry on {self.host}",
            next_command=f"docker logs {self.container}",
        )

    async def join(self, node: str) -> None:
        """Let a node pull from it under the name that this host pushes to."""
        await join_network(self._engine, self.container, "the local registry")
        folder = f"/etc/containerd/certs.d/{self.host}"
        scheme, trusted = ("https", f"  ca = '{folder}/ca.crt'\n") if self._secured else ("http", "")
        hosts = f'[host."{scheme}://{self.container}:5000"]\n  capabilities = ["pull", "resolve"]\n{trusted}'
        files = {"hosts.toml": hosts.encode()}
        if self._secured:
            files["ca.crt"] = self._secured.ca.read_bytes()
        for name, content in files.items():
            await self._engine.docker(
                "exec",
                "--interactive",
                node,
                "sh",
                "-c",
                f"mkdir -p '{folder}' && cat > '{folder}/{name}'",
                stdin=content,
                what="telling the node where the registry is",
            )

    async def push(self, component: Component, crane: Path) -> Image:
        """Push a component's image; what the registry holds already does not travel. Returns it by digest."""
        repository = f"{self.host}/{component.name}"
        return await self.push_layout(component.name, artifact.layout(component), repository, crane, component.version)

    async def push_layout(self, name: str, layout: Path, repository: str, crane: Path, tag: str = "latest") -> Image:
        """Push an OCI layout; what the registry holds already does not travel. Returns the image by digest."""
        digest = oci.layout_digest(layout)
        if not await self.holds(repository, digest):
            plain = [] if self._local else ["--insecure"]  # crane speaks plain HTTP unasked to localhost only
            await run(
                [crane, "push", *plain, layout, f"{self._address}/{repository.partition('/')[2]}:{tag}"],
                deadline_seconds=300,
                what=f"pushing {name}",
                next_command=f"docker logs {self.container}",
            )
        return Image(name, repository, digest, oci.layout_size(layout))

    async def holds(self, repository: str, digest: str) -> bool:
        """Return whether the registry has a manifest of that digest. Raises ClusterError when it does not answer."""
        async with self._asked() as client:
            answer = await client.head(f"{_path(repository)}/manifests/{digest}", headers={"Accept": _MANIFESTS})
        return answer.status_code == 200

    async def pushed(self, repository: str, tag: str = "latest") -> tuple[dict[str, Any], list[str]]:
        """Return an image's configuration and the digests of its layers' blobs. Raises ClusterError without it."""
        async with self._asked() as client:
            answer = await client.get(f"{_path(repository)}/manifests/{tag}", headers={"Accept": _MANIFESTS})
            manifest = answer.raise_for_status().json()
            config = (await client.get(f"{_path(repository)}/blobs/{manifest['config']['digest']}")).raise_for_status()
        return config.json(), [str(layer["digest"]) for layer in manifest["layers"]]

    async def fetch(self, repository: str, digest: str, target: Path) -> None:
        """Write a blob to a file. Raises ClusterError without it."""
        async with self._asked() as client, client.stream("GET", f"{_path(repository)}/blobs/{digest}") as answer:
            answer.raise_for_status()
            with target.open("wb") as out:
                async for part in answer.aiter_raw():
                    out.write(part)

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the registry's API, whose errors say what to do."""
        try:
            async with self._client(timeout=10) as client:
                yield client
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise ClusterError(
                f"the local registry on {self.host} does not answer as a registry does",
                seen=f"{type(error).__name__}: {error}",
                expected="an answer of the distribution API",
                next_command=f"docker logs {self.container}",
            ) from None

    async def stop(self) -> bool:
        """Remove the container, if it is ours; what it holds stays for the next. Returns whether there was one."""
        found = await self._engine.container(self.container)
        if found is None:
            return False
        refuse_foreign(self.container, found, "e2e")
        await self._engine.docker("rm", "--force", self.container)
        return True

    async def remove(self) -> bool:
        """Remove the registry and what it holds, if it is ours. Returns whether there was anything."""
        existed = await self.stop()
        held = await self._engine.docker(
            "volume", "inspect", "--format", "{{json .Labels}}", self.container, check=False
        )
        ours = held.status == 0 and (existed or f'"{OWNER_LABEL}":"sluice"' in held.stdout)
        if ours:
            await self._engine.docker("volume", "rm", self.container)
        return existed or ours

    async def runs(self) -> bool:
        """Return whether our registry is what listens on the port."""
        found = await self._engine.container(self.container)
        return found is not None and is_ours(found) and self._listens(found)

    def _listens(self, found: dict[str, Any]) -> bool:
        """Whether a container runs and is the one that answers on our port."""
        bindings = found["HostConfig"].get("PortBindings") or {}
        return bool(found["State"]["Running"]) and str(self._port) in [
            binding["HostPort"] for several in bindings.values() for binding in several or []
        ]

    async def _answers(self) -> str | None:
        try:
            async with self._client(timeout=3) as client:
                status = (await client.get("")).status_code
        except (httpx.HTTPError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return None if status == 200 else f"HTTP {status}"

    def _client(self, *, timeout: float) -> httpx.AsyncClient:
        # It is on this machine: no proxy of the environment.
        if self._secured:
            try:
                verify = ssl.create_default_context(cafile=self._secured.ca)
                login = self._secured.login()
            except (OSError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"its files in {self._secured.folder} cannot be used: {error}") from None
            base = f"https://{self._address}/v2/"
            return httpx.AsyncClient(base_url=base, timeout=timeout, trust_env=False, verify=verify, auth=login)
        # Plain HTTP needs no certificates, which take their time to load.
        base = f"http://{self._address}/v2/"
        return httpx.AsyncClient(base_url=base, timeout=timeout, trust_env=False, verify=False)


def _path(repository: str) -> str:
    """A repository's path in the API: its name without the registry's."""
    return repository.partition("/")[2]

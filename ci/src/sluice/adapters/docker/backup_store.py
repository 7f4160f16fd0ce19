"""The store of back-ups: a container beside the cluster, as the registry is, that outlives it. It speaks S3 over TLS.

What it holds lies in a volume: `objects` the buckets, `tls` its certificate. Each drill has a volume of its own: a
repository knows one database, by its system identifier, and one passphrase, and a drill makes both anew.
"""

from pathlib import Path
from typing import Any

from sluice.adapters.docker.beside import OURS, join_network, refuse_foreign
from sluice.adapters.docker.engine import Engine
from sluice.adapters.waiting import until
from sluice.certificates import certificates
from sluice.files import write_atomically
from sluice.recovery.keys import BUCKET, Keys, Store

PORT = 7070
_OWNER = "65534:65534"
_FOLDERS = f"install -d -o 65534 -g 65534 -m 0700 /store/objects /store/objects/{BUCKET} /store/tls"
_PEM = f"{_FOLDERS} && install -o 65534 -g 65534 -m 0400 /dev/stdin /store/tls/store.pem"


class BackupStore:
    """The store of one cluster's back-ups; `drill` names its volume.

    `folder` has its certificate's authority and what it is started with.
    """

    def __init__(self, engine: Engine, cluster: str, folder: Path, drill: str) -> None:
        self._engine = engine
        self._folder = folder
        self.container = f"{cluster}-backups"
        self._volume = f"{self.container}-{drill}"

    async def start(self, image: str, base: str, keys: Keys) -> Store:
        """Start it, or keep the one that runs; `base` is an image with a shell that its volume is laid out with.

        The store of an earlier drill goes, with what it holds. Returns how a cluster reaches it. Raises ClusterError
        where a container of that name is not ours.
        """
        found = await _ours(self._engine, self.container)
        ca = self._folder / "ca.crt"
        if found is not None:
            mounted = [mount.get("Name") for mount in found.get("Mounts", ())]
            if found["State"]["Running"] and self._volume in mounted and ca.exists():
                return self._reached(ca)
            await self._engine.docker("rm", "--force", self.container)
        await _remove_volumes(self._engine, self.container, but=self._volume)
        await self._engine.docker("volume", "create", "--label", OURS, self._volume)
        authority, certificate, key = certificates((self.container, "localhost"))
        await self._engine.docker(
            "run", "--rm", "--interactive", "--network", "none", "--volume", f"{self._volume}:/store", base,
            "sh", "-c", _PEM, stdin=certificate + key, what="laying out the store of back-ups",
        )  # fmt: skip
        environment = self._folder / "store.env"
        said = f"ROOT_ACCESS_KEY={keys.access}\nROOT_SECRET_KEY={keys.secret}\n"
        write_atomically(environment, said.encode(), private=True)
        tls = "/store/tls/store.pem"
        await self._engine.docker(
            "run", "--detach", "--name", self.container, "--label", OURS, "--restart", "no", "--read-only",
            "--cap-drop", "ALL", "--user", _OWNER, "--env-file", environment, "--volume", f"{self._volume}:/store",
            image, "--port", f":{PORT}", "--cert", tls, "--key", tls, "posix", "/store/objects",
            what="starting the store of back-ups",
        )  # fmt: skip
        await until(
            self._listens,
            deadline_seconds=30,
            what="the store of back-ups",
            next_command=f"docker logs {self.container}",
        )
        write_atomically(ca, authority)
        return self._reached(ca)

    async def join(self) -> None:
        """Let the pods of the cluster reach it, by its container's name. Raises ClusterError without kind's network."""
        await join_network(self._engine, self.container, "the store of back-ups")

    def _reached(self, ca: Path) -> Store:
        return Store(self.container, PORT, ca.read_text(encoding="ascii"))

    async def _listens(self) -> str | None:
        """Why it does not serve yet. It says on its output when it does, and nothing else may end it."""
        found = await self._engine.container(self.container)
        if found is None or not found["State"]["Running"]:
            return (await self._engine.docker("logs", "--tail", "5", self.container, check=False)).tail or "it ended"
        said = await self._engine.docker("logs", self.container, check=False)
        return None if f":{PORT}" in said.tail else "it has not said that it listens"


async def remove_stores(engine: Engine, cluster: str) -> bool:
    """Remove the store of a cluster's back-ups, its image and what it holds: that of every drill.

    Returns whether there was anything. Raises ClusterError where a container of that name is not ours.
    """
    container = f"{cluster}-backups"
    found = await _ours(engine, container)
    if found is not None:
        await engine.docker("rm", "--force", container)
        await engine.docker("image", "rm", str(found["Config"]["Image"]), check=False)
    return await _remove_volumes(engine, container) or found is not None


async def _remove_volumes(engine: Engine, container: str, *, but: str = "") -> bool:
    """Remove the volumes that stores of a name had; docker's filter finds a part of a name, so they are looked at."""
    listed = await engine.docker(
        "volume", "ls", "--filter", f"label={OURS}", "--filter", f"name={container}-", "--format",
        "{{.Name}}",
    )  # fmt: skip
    old = [name for name in listed.stdout.split() if name.startswith(f"{container}-") and name != but]
    if old:
        await engine.docker("volume", "rm", *old)
    return bool(old)


async def _ours(engine: Engine, name: str) -> dict[str, Any] | None:
    found = await engine.container(name)
    if found is not None:
        refuse_foreign(name, found, "drill")
    return found

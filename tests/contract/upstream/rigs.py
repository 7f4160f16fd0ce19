"""A supply with a cache and a lock of its own, over servers of this machine."""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.contract.upstream.servers import FileServer, Front

from sluice.adapters.docker.engine import Engine
from sluice.domain import Component
from sluice.errors import SupplyError
from sluice.supply import oci
from sluice.supply.cache import Cache, digest_of
from sluice.supply.catalog import load_catalog
from sluice.supply.lock import Lock
from sluice.supply.resolve import Supply


class Quiet:
    """Implements ports.Progress and shows nothing."""

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        """Nothing."""

    def update(self, task: str, text: str) -> None:
        """Nothing."""

    def end(self, task: str, *, outcome: str, detail: str = "") -> None:
        """Nothing."""


def component(name: str, fields: str) -> str:
    """An entry of a catalog."""
    return f'[[component]]\nname = "{name}"\nversion = "1"\n{fields}\n'


async def no_engine() -> Engine:
    """Nothing that comes from upstream needs one."""
    raise AssertionError("no engine is needed for what comes from upstream")


@dataclass
class Rig:
    """Runs of one catalog; each run is a new Supply, as after a new start of the program."""

    folder: Path
    files: FileServer
    crane: Path
    registry: str = ""
    front: Front | None = None
    catalog: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = Cache(self.folder / "cache")
        self.lock_file = self.folder / "lock.json"
        self.lock = Lock(self.lock_file)
        self.files.files["crane"] = self.crane.read_bytes()
        self.add("crane", f'form = "program"\nupstream = {{ archive = "{self.files.url("crane")}" }}')

    def add(self, name: str, fields: str) -> None:
        """List one more component."""
        self.catalog.append(component(name, fields))

    async def run(self, name: str) -> Component:
        """Obtain a component as a new run of the program does."""
        file = self.folder / "catalog.toml"
        file.write_text("".join(self.catalog))
        supply = Supply(
            load_catalog(file), self.cache, mode="upstream", engine=no_engine, progress=Quiet(),
            logs=self.folder / "logs", lock=self.lock,
        )  # fmt: skip
        return await supply.get(name)

    def forget(self) -> None:
        """Lose the cache, as another machine has none; the lock stays."""
        self.cache = Cache(self.folder / f"{self.cache.root.name}-again")

    def locked(self) -> dict[str, str]:
        """What the lock says."""
        found: dict[str, str] = json.loads(self.lock_file.read_text()) if self.lock_file.exists() else {}
        return found

    def held(self) -> dict[str, str]:
        """Everything in the cache that counts, with the digest of its content."""
        return {
            str(record.parent.relative_to(self.cache.root)): digest_of(record.parent)
            for record in self.cache.root.glob("supply/*/*/component.json")
        }

    async def refuses(self, name: str, kind: type[SupplyError]) -> SupplyError:
        """Run into an error that says everything, publishes nothing and harms nothing."""
        before, locked = self.held(), self.locked()
        with pytest.raises(SupplyError) as caught:
            await self.run(name)
        error = caught.value
        assert type(error) is kind, f"{type(error).__name__}: {error}"
        assert error.seen, error
        assert error.expected, error
        assert error.next_command, error
        assert name in error.failed
        after = self.held()
        assert {place: digest for place, digest in after.items() if not place.startswith("supply/crane/")} == {
            place: digest for place, digest in before.items() if not place.startswith("supply/crane/")
        }
        assert [path for path in self.cache.root.glob("supply/*/tmp-*") if path.exists()] == []
        assert locked.items() <= self.locked().items(), "what was locked stays locked"
        return error

    def push(self, repository: str, content: str, *, platform: str = "amd64") -> str:
        """Push an image with one program to the registry; returns its digest."""
        folder = self.folder / "images" / hashlib.sha256(f"{repository}{content}{platform}".encode()).hexdigest()
        folder.mkdir(parents=True)
        (folder / "tool").write_text(content)
        layer = oci.write_layer(folder / "layer.tar", {"/tool": folder / "tool"})
        config = oci.configuration([layer], ["/tool"]).replace(b"amd64", platform.encode())
        digest = oci.write_layout(folder / "oci", config, [layer])
        self.crane_runs("push", str(folder / "oci"), f"{self.registry}/{repository}")
        return digest

    def crane_runs(self, *words: str) -> str:
        """Run crane."""
        done = subprocess.run([self.crane, *words], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def layer_text(component: Component) -> Sequence[bytes]:
    """The bytes of a pulled image's layers."""
    return [layer.read_bytes() for layer in oci.layout_layers(Path(component.path) / "oci")]

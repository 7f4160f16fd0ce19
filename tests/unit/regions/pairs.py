"""Two regions that are none: they note what is done to them, and fail where they are told to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.unit.core.support import FakeProgress

from sluice.domain import Source
from sluice.errors import ClusterError
from sluice.regions.model import Database, Marker
from sluice.run import Run
from sluice.settings import Settings

SOURCE = Source("/tree", "0123456789abcdef", dirty=False, digest="", services=(), fixtures=())
RELEASE = "sha256:" + 64 * "a"


class Killed(BaseException):
    """What ends a process in the middle of its work."""


@dataclass
class Region:
    """Implements as much of adapters.kubernetes.region.RegionCluster as a switch asks; `log` is that of both."""

    name: str
    log: list[str]
    marked: Marker
    wrote: int = 100
    standby: bool = False
    streaming: bool = True
    release_of: str = RELEASE
    cause: str = ""
    dies_at: str = ""
    client: Any = None
    serving: int = 1

    async def unreachable(self) -> str:
        """Why it cannot be asked."""
        return self.cause

    async def marker(self) -> Marker:
        """What it says of itself."""
        return self.marked

    async def trouble(self) -> list[str]:
        """Nothing."""
        return []

    async def images(self) -> dict[str, tuple[str, ...]]:
        """None."""
        return {}

    async def release(self) -> str:
        """What its ledger has."""
        return self.release_of

    async def database(self) -> Database:
        """How far it is."""
        return Database(self.standby, 1, self.wrote, self.wrote, self.streaming, last_commit=7.0)

    async def mark(self, marker: Marker) -> None:
        """Note it."""
        self._do(f"{marker.role}")
        self.marked = marker

    async def services(self, replicas: int, *, deadline_seconds: float) -> None:
        """Note it."""
        self._do(f"services {replicas}")
        self.serving = replicas

    async def server(self, *, running: bool, deadline_seconds: float) -> None:
        """Note it."""
        self._do("server up" if running else "server down")

    async def promote(self, *, deadline_seconds: float) -> None:
        """Follow nobody."""
        self.standby = False
        self._do("promoted")

    async def stop_mirror(self, *, deadline_seconds: float) -> None:
        """Note it."""
        self._do("mirror down")

    def _do(self, what: str) -> None:
        """Do it, and die then where that was told: what was done was not noted."""
        self.log.append(f"{self.name}: {what}")
        if self.dies_at == what:
            self.dies_at = ""
            raise Killed


@dataclass
class Pair:
    """Implements region_tools.RegionTools for two of them."""

    home: Path
    log: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.regions = {
            "east": Region("east", self.log, Marker("east", "primary", 1)),
            "west": Region("west", self.log, Marker("west", "standby", 1), standby=True),
        }
        self.box = SimpleNamespace()
        self.begin()

    def begin(self, again: Path | None = None) -> None:
        """Another run, or one again."""
        self.run = Run(self.home / "failovers", FakeProgress(), again=again)

    def ledger_copy(self, region: str) -> Path:
        """There is none."""
        return self.home / f"{region}.jsonl"

    @asynccontextmanager
    async def reached(self, region: str, _: Source) -> AsyncIterator[Region]:
        """The region, unless it is not there at all."""
        if region not in self.regions:
            raise ClusterError(f"there is no region {region}")
        yield self.regions[region]

"""Catalogs, supplies and benches for tests: recipes that make a file, and count how often."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from tests.unit.core.support import FakeEngine, FakeProgress

from sluice.adapters.docker.engine import Engine
from sluice.domain import Component
from sluice.supply import go, upstream
from sluice.supply.cache import Cache
from sluice.supply.catalog import Entry, load_catalog
from sluice.supply.lock import Lock
from sluice.supply.resolve import Mode, Supply
from sluice.supply.workbench import Workbench


def entry(text: str, folder: Path) -> Entry:
    """One entry of a catalog, given in TOML without its head."""
    path = folder / "one.toml"
    path.write_text(f"[[component]]\n{text}")
    [found] = load_catalog(path).values()
    return found


def bench(folder: Path, parts: dict[str, Component] | None = None) -> Workbench:
    """A bench without an engine."""

    async def no_engine() -> Engine:
        raise AssertionError("no engine was expected to be asked for")

    return Workbench(folder, folder / "log", parts or {}, no_engine, lambda _: None)


def component(name: str, path: Path, digest: str = "sha256:0", version: str = "1") -> Component:
    """A component that lies at `path`."""
    return Component(name, version, "source", digest, str(path), 1, 1.0)


def go_entry(name: str, upstream: str = "") -> str:
    """An entry of a catalog that is built by Go, and may be had upstream."""
    offered = f'upstream = {{ archive = "{upstream}" }}\n' if upstream else ""
    return f"""
[[component]]
name = "{name}"
version = "1"
form = "program"
{offered}source = {{ recipe = "go", module = "pause", package = "." }}
"""


def digest(text: str) -> str:
    """The digest of a text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class Bench:
    """A Supply whose recipes and upstream are this object: what was asked, made and fetched is counted."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, catalog: str) -> None:
        self.folder = folder
        (folder / "catalog.toml").write_text(catalog)
        self.catalog = load_catalog(folder / "catalog.toml")
        self.cache = Cache(folder / "cache")
        self.lock = Lock(folder / "lock.json")
        self.asked: list[str] = []
        self.built: list[str] = []
        self.fetched: list[str] = []
        self.answering: set[str] = set()
        self.broken: dict[str, Exception] = {}
        self.working, self.most_at_once = 0, 0
        self.toolchain = "go1"
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(upstream, "answers", self._answers)
        monkeypatch.setattr(upstream, "obtain", self._obtain)
        monkeypatch.setattr(go, "build_program", self._build)
        monkeypatch.setattr(go, "toolchain", self._toolchain)

    def supply(self, mode: Mode = "auto", *, parallel: int = 2) -> Supply:
        """A new supply over the same cache, as a new run has."""
        self.progress = FakeProgress()
        self.made = Supply(
            self.catalog, self.cache, mode=mode, engine=self.engine, progress=self.progress,
            logs=self.folder / "logs", lock=self.lock, parallel=parallel,
        )  # fmt: skip
        return self.made

    def said(self) -> Iterable[str]:
        """What the user was told outside of any work."""
        return [text for task, text in self.progress.said if task == "supply"]

    async def engine(self) -> Engine:
        """The engine of this host."""
        return FakeEngine(self.folder / "engine")

    async def _toolchain(self) -> str:
        return self.toolchain

    async def _answers(self, one: Entry) -> bool:
        self.asked.append(upstream.host_of(one))
        await _turns()
        return upstream.host_of(one) in self.answering

    async def _obtain(self, one: Entry, into: Path, bench: Workbench, lock: Lock) -> str:
        self.fetched.append(one.name)
        await self._work(one, into)
        lock.record(one.upstream_image() or one.upstream_archive(), digest(one.name))
        return digest(one.name)

    async def _build(self, one: Entry, recipe: object, into: Path, bench: Workbench) -> None:
        self.built.append(one.name)
        await self._work(one, into)

    async def _work(self, one: Entry, into: Path) -> None:
        self.working += 1
        self.most_at_once = max(self.most_at_once, self.working)
        try:
            await _turns()
            if one.name in self.broken:
                raise self.broken[one.name]
            (into / one.name).write_text(f"program {one.name}")
        finally:
            self.working -= 1


async def _turns() -> None:
    """Let everything else that could go on do so."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()

"""Decides for each component how it is obtained, and obtains each one once."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import anyio

from sluice.domain import Component, How
from sluice.errors import SupplyError, Unreachable
from sluice.ports import Progress
from sluice.supply import artifact, debian, go, maven, node_image, oci, upstream
from sluice.supply.cache import Cache, digest_of, key_of, size_of
from sluice.supply.catalog import (
    DebianRecipe,
    DebootstrapRecipe,
    Entry,
    FilesRecipe,
    GoRecipe,
    LinkRecipe,
    MavenRecipe,
    NodeRecipe,
    dependencies,
)
from sluice.supply.families import family_of
from sluice.supply.lock import Lock
from sluice.supply.slots import Slots
from sluice.supply.workbench import GetEngine, Workbench

Mode = Literal["auto", "upstream", "source"]


class Supply:
    """The components of a catalog, each obtained on its first use.

    `auto` asks each upstream host once, with a short timeout, and builds from source what cannot be had there.
    At most `parallel` builds run side by side, what stands first in the catalog first: two by default, for while one
    links on one core, the other compiles on the next. Go programs of one family are built one after the other.
    """

    def __init__(
        self,
        catalog: Mapping[str, Entry],
        cache: Cache,
        *,
        mode: Mode,
        engine: GetEngine,
        progress: Progress,
        logs: Path,
        lock: Lock | None = None,
        parallel: int = 2,
        on_obtained: Callable[[Component], None] = lambda _: None,
    ) -> None:
        self.catalog = catalog
        self.cache = cache
        self._mode = mode
        self._engine = engine
        self._progress = progress
        self._logs = logs
        self._lock = lock or Lock()
        self._slots = Slots(parallel)
        self._compiling: defaultdict[str, Slots] = defaultdict(lambda: Slots(1))
        self._rank = {name: rank for rank, name in enumerate(catalog)}
        self._one_at_a_time = {name: anyio.Lock() for name in catalog}
        self._probing: dict[str, anyio.Lock] = {}
        self._obtained: dict[str, Component] = {}
        self._on_obtained = on_obtained
        self._reachable: dict[str, bool] = {}
        self._toolchain = ""

    @property
    def obtained(self) -> tuple[Component, ...]:
        """Everything that was obtained so far, in the catalog's order."""
        return tuple(self._obtained[name] for name in self.catalog if name in self._obtained)

    def cached(self) -> tuple[Component, ...]:
        """The newest of each component that the cache holds, in the catalog's order; obtains nothing."""
        found = (self.cache.newest(name) for name in self.catalog)
        return tuple(component for component in found if component)

    async def get(self, name: str) -> Component:
        """Return a component, obtaining it (and what it is built from) if need be.

        Raises SupplyError and its kin, in a group where what it is built from fails.
        """
        entry = self._entry(name)
        async with self._one_at_a_time[name]:
            if name not in self._obtained:
                self._obtained[name] = await self._obtain(entry)
                self._on_obtained(self._obtained[name])
        return self._obtained[name]

    async def get_optional(self, name: str) -> Component | None:
        """Return a component, or None where it can only be had from an upstream that is out of reach."""
        entry = self._entry(name)
        if entry.source is None and await self._how(entry) == "source":
            return None
        try:
            return await self.get(name)
        except Unreachable:  # its host answered, but not for this
            if entry.source is None and self._mode == "auto":
                return None
            raise

    async def get_all(self, *names: str) -> tuple[Component, ...]:
        """Return several components, obtained side by side, begun in the order named."""
        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(self.get, name)
        return tuple(self._obtained[name] for name in names)

    def _entry(self, name: str) -> Entry:
        if name not in self.catalog:
            raise SupplyError(
                f"no component named {name!r}",
                seen=name,
                expected=", ".join(self.catalog),
                next_command="./nox -s supply -- --list",
            )
        return self.catalog[name]

    async def _obtain(self, entry: Entry) -> Component:
        how = await self._how(entry)
        try:
            return await self._obtain_as(entry, how)
        except Unreachable as error:
            if self._mode != "auto" or how == "source" or entry.source is None:
                raise
            # A host may answer and still not give its files: an allow list, a limit, another host behind it.
            self._reachable[upstream.host_of(entry)] = False
            self._progress.update("supply", f"{str(error).splitlines()[0]}: what lies there is built from source")
            return await self._obtain_as(entry, "source")

    async def _obtain_as(self, entry: Entry, how: How) -> Component:
        if how == "source" and entry.source is None:
            raise SupplyError(
                f"{entry.name} {entry.version} can only be had upstream, which is out of reach",
                seen=f"no answer from {upstream.host_of(entry)}",
                expected="a registry in reach",
                next_command="./nox -s doctor",
            )
        needed = dependencies(entry) if how == "source" else (("crane",) if entry.upstream_image() else ())
        parts = dict(zip(needed, await self.get_all(*needed), strict=True))
        key = await self._key(entry, how, parts)
        async with self.cache.locked(entry.name):
            if found := self.cache.find(entry.name, key):
                return found
            if how == "source" and isinstance(entry.source, DebianRecipe | MavenRecipe | NodeRecipe):
                await self._engine()  # may need a component itself, and so a slot: not to be asked for inside one
            async with AsyncExitStack() as places:
                rank = self._rank[entry.name]
                if how == "source" and isinstance(entry.source, GoRecipe):
                    # What two programs share would be compiled twice if they were built side by side.
                    await places.enter_async_context(self._compiling[family_of(entry.source.module)].taken(rank))
                await places.enter_async_context(self._slots.taken(rank))
                return await self._make(entry, how, key, parts)

    async def _make(self, entry: Entry, how: How, key: str, parts: Mapping[str, Component]) -> Component:
        task = f"{entry.name} {entry.version}"
        self._progress.begin(task, expected_seconds=self.cache.last_seconds(entry.name))
        started, outcome = time.monotonic(), "failed"
        try:
            with self.cache.workspace(entry.name) as into:
                bench = Workbench(
                    cache_root=self.cache.root,
                    log=self._logs / f"{entry.name}.log",
                    parts=parts,
                    engine=self._engine,
                    say=lambda text: self._progress.update(task, text),
                )
                digest = await self._run(entry, how, into, bench)
                if how == "upstream":  # its digest is locked now, and part of the key
                    key = await self._key(entry, how, parts)
                size, own = await anyio.to_thread.run_sync(lambda: (size_of(into), digest or self._digest(entry, into)))
                made = Component(
                    entry.name, entry.version, how, own, str(into), size, round(time.monotonic() - started, 1)
                )
                done = self.cache.publish(into, key, made)
            outcome = "done"
            return done
        except anyio.get_cancelled_exc_class():
            outcome = "cancelled"
            raise
        finally:
            self._progress.end(task, outcome=outcome, detail=how)

    async def _run(self, entry: Entry, how: How, into: Path, bench: Workbench) -> str:
        if how == "upstream":
            return await upstream.obtain(entry, into, bench, self._lock)
        match entry.source:
            case GoRecipe() as recipe:
                await go.build_program(entry, recipe, into, bench)
            case LinkRecipe(of=of):
                # A hard link: it holds when the cache is moved, and when the other component is forgotten.
                os.link(artifact.program(bench.parts[of]), into / entry.name)
            case FilesRecipe() as recipe:
                await go.copy_files(entry, recipe, into, bench)
            case DebootstrapRecipe() as recipe:
                await debian.bootstrap(entry, recipe, into, bench)
            case DebianRecipe() as recipe:
                await debian.build_image(entry, recipe, into, bench)
            case MavenRecipe() as recipe:
                await maven.build_image(entry, recipe, into, bench)
            case NodeRecipe():
                await node_image.build(entry, into, bench)
        return ""

    def _digest(self, entry: Entry, into: Path) -> str:
        return oci.layout_digest(into / "oci") if entry.form == "image" else digest_of(into)

    async def _how(self, entry: Entry) -> How:
        if self._mode != "auto":
            # What upstream does not offer as such is part of something that it does, or written by us.
            return "source" if self._mode == "upstream" and entry.upstream is None else self._mode
        if entry.upstream is None:
            return "source"
        host = upstream.host_of(entry)
        async with self._probing.setdefault(host, anyio.Lock()):
            if host not in self._reachable:
                self._reachable[host] = await upstream.answers(entry)
                if not self._reachable[host]:
                    self._progress.update("supply", f"{host} does not answer: what lies there is built from source")
        return "upstream" if self._reachable[host] else "source"

    async def _key(self, entry: Entry, how: How, parts: Mapping[str, Component]) -> str:
        if how == "upstream":
            address = entry.upstream_image() or entry.upstream_archive()
            return key_of(["upstream", entry.upstream, entry.version, self._lock.get(address)])
        description: list[object] = ["source", entry.form, entry.version, entry.source]
        description.append({name: part.digest for name, part in parts.items()})
        match entry.source:
            case GoRecipe(module=module) | FilesRecipe(module=module):
                self._toolchain = self._toolchain or await go.toolchain()
                description += [self._toolchain, *map(digest_of, go.inputs(module))]
                description += entry.source.tags if isinstance(entry.source, GoRecipe) else ()
            case DebianRecipe(folder=folder):
                description += map(digest_of, debian.inputs(folder))
            case MavenRecipe(module=module, folder=folder):
                description += map(digest_of, [*maven.inputs(module), *debian.inputs(folder)])
            case NodeRecipe():
                description += map(digest_of, [*debian.inputs("node"), Path(node_image.__file__)])
            case _:
                pass
        return key_of(description)

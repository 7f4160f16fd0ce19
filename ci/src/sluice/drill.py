"""The disaster drill: marked data under load, the cluster destroyed, a new one raised out of back-ups, and compared.

What a drill knows of itself is in its run's folder: drill.json (how far it got), marks.jsonl (what was acknowledged),
figures.json (what came of it), backups (its keys and its store's authority). One that was killed after the disaster
goes on from there.
"""

import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx

from sluice.adapters.docker.backup_store import BackupStore
from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.jobs import Jobs
from sluice.adapters.kubernetes.ledger import TargetLedger
from sluice.adapters.process import beside
from sluice.adapters.process import run as run_program
from sluice.bootstrap import Toolbox, kubeconfig
from sluice.domain import Image, Source, dump
from sluice.errors import RecoveryError
from sluice.files import json_lines, write_atomically
from sluice.pipeline import SoFar, raise_system
from sluice.promotion.ledger import GENESIS
from sluice.recovery.figures import SCHEMA, Figures, Store
from sluice.recovery.keys import Store as Reached
from sluice.recovery.keys import ensure_keys
from sluice.recovery.marks import Mark, anchor_before, compare
from sluice.run import Run
from sluice.settings import Settings
from sluice.steps.install_charts import Installer
from sluice.steps.install_fixtures import ensure_passwords
from sluice.steps.keep_backups import IMAGES, Kept, back_up, everything, give_repositories, schedule
from sluice.steps.restore_stores import restore_store
from sluice.suites import suite_context
from sluice.supply import artifact
from sluice.supply.workbench import in_engine

FOLDER = "backups"  # in the drill's folder: its keys, which outlive the cluster
LOAD_SECONDS = 60.0  # under load after the back-ups: some of it is in the archive only
_STEP_SECONDS = 300.0
_STORE = "versitygw"
_PROGRAMS = Path("tests") / "drill"
# Before which part of the line a store is restored; the ledger is ConfigMaps, and comes when all is up.
_PARTS = {"postgresql": "postgresql", "kafka": "kafka", "logging": "loki", "monitoring": "prometheus"}


@dataclass(frozen=True)
class State:
    """How far a drill got: who wrote the marks, and when the disaster was (0: not yet)."""

    user: str
    destroyed: float = 0.0


class Drill:
    """One drill. `make_box` gives a toolbox for each of the two clusters."""

    def __init__(self, root: Path, settings: Settings, run: Run, make_box: Callable[[], Toolbox]) -> None:
        self._root = root
        self._settings = settings
        self._run = run
        self._make_box = make_box
        self._spaces = settings.namespaces
        self._stores = {one.name: one for one in everything(settings.namespaces)}
        self._restored: dict[str, dict[str, Any]] = {}
        self._ready = anyio.Lock()
        self._installer: Installer | None = None

    async def whole(self) -> Figures:
        """Go through it, from wherever it was left, and return its figures. Raises RecoveryError."""
        if not (self._root / _PROGRAMS).is_dir():  # a project that adopts Sluice has other services
            raise RecoveryError(
                "there is nothing to mark this tree's services with",
                seen=f"no {_PROGRAMS}",
                expected=f"{_PROGRAMS}/write.py and read.py, as Sluice's own tree has them",
                next_command="see docs/disaster-recovery.md of Sluice",
            )
        state = self._state()
        if not state.destroyed:
            state = await self._until_disaster(state)
        return await self._after(state)

    async def _until_disaster(self, state: State) -> State:
        run, box = self._run, self._make_box()
        store, reached = await self._store(box)
        source = await raise_system(run, box, SoFar(), partial(self._before, store, reached, None))
        context = await self._context(box, source)
        images = await box.component_images(IMAGES)
        installer = self._installed()
        put = partial(schedule, installer, self._spaces, images)
        await run.step("schedule back-ups", put, deadline_seconds=_STEP_SECONDS)
        async with self._writing(context, state.user):
            await run.step("write marks", self._marked, deadline_seconds=120)
            async with connect(box.kubeconfig) as client:
                await run.step("mark the ledger", partial(self._mark_ledger, client), deadline_seconds=60)
                kept = partial(back_up, Jobs(client), self._spaces, run.id[-4:])
                await run.step("back up everything", kept, deadline_seconds=2 * _STEP_SECONDS)
                await run.step(
                    "go on under load", partial(anyio.sleep, LOAD_SECONDS), deadline_seconds=LOAD_SECONDS + 5
                )
            state = replace(state, destroyed=time.time())
            destroy = (await box.provider()).delete
            await run.step("destroy the cluster", destroy, deadline_seconds=_STEP_SECONDS)
        self._keep(state)
        return state

    async def _after(self, state: State) -> Figures:
        run, box, first = self._run, self._make_box(), len(self._run.timings)
        store, reached = await self._store(box)
        images = await box.component_images(IMAGES)
        source = await raise_system(run, box, SoFar(), partial(self._before, store, reached, images))
        installer = self._installed()
        put = partial(schedule, installer, self._spaces, images)
        await run.step("schedule back-ups", put, deadline_seconds=_STEP_SECONDS)
        await self._restore(installer, self._stores["ledger"], images)
        async with connect(box.kubeconfig) as client:  # against this host's copy of it, which was not restored
            await run.step("read the ledger", self._ledger(client).read, deadline_seconds=60)
        found = await run.step(
            "compare", partial(self._read, await self._context(box, source), state), deadline_seconds=_STEP_SECONDS
        )
        figures = self._figures(state, found, source.revision, running_again=time.time(), first=first)
        run.write(run.folder / "figures.json", dump(figures))
        # What came back is backed up on, or the next disaster is the last.
        async with connect(box.kubeconfig) as client:
            again = partial(back_up, Jobs(client), self._spaces, f"{run.id[-4:]}-again")
            await run.step("back up what came back", again, deadline_seconds=2 * _STEP_SECONDS)
        return figures

    async def _store(self, box: Toolbox) -> tuple[BackupStore, Reached]:
        folder = self._run.folder / FOLDER
        engine, base = await box.engine(), await box.supply.get("debian")
        image = (await box.component_images([_STORE]))[_STORE].reference
        store = BackupStore(engine, self._settings.cluster.name, folder, self._run.id.lower())
        keys = ensure_keys(folder)
        start = partial(store.start, image, await in_engine(engine, base), keys)
        return store, await self._run.step("start the store", start, deadline_seconds=_STEP_SECONDS)

    async def _before(
        self, store: BackupStore, reached: Reached, images: Mapping[str, Image] | None, part: str, installer: Installer
    ) -> None:
        """Before a part of the line is installed: its repositories, and with `images` what it held."""
        async with self._ready:
            if self._installer is not installer:
                await store.join()
                await give_repositories(installer, self._spaces, ensure_keys(self._run.folder / FOLDER), reached)
                self._installer = installer
        if images is not None and part in _PARTS:
            if part == "postgresql":  # the superuser's password of this cluster
                await ensure_passwords(installer, part, self._spaces.services)
            await self._restore(installer, self._stores[_PARTS[part]], images)

    async def _restore(self, installer: Installer, one: Kept, images: Mapping[str, Image]) -> None:
        async with connect(kubeconfig(self._settings)) as client:
            work = partial(restore_store, installer, Jobs(client), one, images, deadline_seconds=_STEP_SECONDS - 10)
            told = await self._run.step(f"restore {one.name}", work, deadline_seconds=_STEP_SECONDS)
        self._restored[one.name] = told
        write_atomically(self._run.folder / "restored.json", json.dumps(self._restored).encode())

    def _installed(self) -> Installer:
        assert self._installer, "the line has installed what is backed up"
        return self._installer

    async def _context(self, box: Toolbox, source: Source) -> Path:
        helm, kubectl = await box.supply.get_all("helm", "kubectl")
        context = suite_context(
            self._settings, self._run, spaces=self._spaces, services=source.services, fixtures=source.fixtures,
            kubeconfig=box.kubeconfig, helm=artifact.program(helm), kubectl=artifact.program(kubectl),
        )  # fmt: skip
        path = self._run.folder / "drill-context.json"
        write_atomically(path, dump(context))
        return path

    @asynccontextmanager
    async def _writing(self, context: Path, user: str) -> AsyncIterator[None]:
        """Write marks while the block runs; whatever ends the writer before that is an error of the drill."""
        words: list[str | Path] = [sys.executable, "-m", "tests.drill.write", context, user, self._marks]
        log = self._run.logs / "drill-write.log"
        async with beside(words, deadline_seconds=3600, cwd=self._root, log=log, what="writing marks"):
            yield

    def _ledger(self, client: httpx.AsyncClient) -> TargetLedger:
        return TargetLedger(client, self._spaces.services, "drill", self._run.folder / "ledger.jsonl")

    async def _mark_ledger(self, client: httpx.AsyncClient) -> None:
        await self._ledger(client).append(
            promotion=self._run.id, release=GENESIS, release_id="drill", state="planned", who="drill", at=time.time()
        )

    async def _marked(self) -> None:
        """Return once there are marks to be lost, and an anchor of the hash chain."""
        while True:
            lines = list(json_lines(self._marks))
            if sum("id" in line for line in lines) >= 30 and any("anchor" in line for line in lines):
                return
            await anyio.sleep(0.5)

    async def _read(self, context: Path, state: State) -> dict[str, Any]:
        file = self._run.folder / "found.json"
        anchor = self._anchor(state)["anchor"]
        await run_program(
            [sys.executable, "-m", "tests.drill.read", context, state.user, file, str(anchor)],
            deadline_seconds=_STEP_SECONDS - 10, cwd=self._root, log=self._run.logs / "drill-read.log",
            what="reading what came back",
        )  # fmt: skip
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def _anchor(self, state: State) -> dict[str, Any]:
        """The newest anchor that is older than a drill's RPO: what is younger may be lost."""
        found = anchor_before(json_lines(self._marks), state.destroyed - 60)
        if found is None:
            raise RecoveryError(
                "no anchor of the hash chain was taken before the disaster",
                seen=f"{self._marks} has none",
                expected="one every few seconds while marks are written",
                next_command=f"read {self._run.logs / 'drill-write.log'}",
            )
        return found

    def _figures(
        self, state: State, found: dict[str, Any], revision: str, *, running_again: float, first: int
    ) -> Figures:
        written = [Mark(one["id"], one["text"], one["at"]) for one in json_lines(self._marks) if "id" in one]
        tasks = compare(written, [(name, text) for name, text in found["tasks"]], destroyed=state.destroyed)
        stores = []
        for one in self._stores.values():
            told = self._restored.get(one.name, {})
            if one.name == "postgresql":
                age = state.destroyed - float(told.get("last_commit") or 0)
                stores.append(Store(one.name, max(0.0, age), tasks.checksum_before, tasks.checksum_after))
                continue
            snapshot = str(told.get("snapshot", ""))
            age = state.destroyed - datetime.fromisoformat(snapshot).timestamp() if snapshot else state.destroyed
            kept, sum_now = str(told.get("kept", "")), str(told.get("sha256", ""))
            stores.append(Store(one.name, max(0.0, age), kept, sum_now, one.name == "kafka"))
        return Figures(
            SCHEMA, self._run.id, revision, state.destroyed, running_again, tasks,
            bool(found["chain"]["valid"]), int(found["chain"]["entries"]), int(self._anchor(state)["entries"]),
            tuple(stores), tuple((step.name, step.seconds) for step in self._run.timings[first:]),
        )  # fmt: skip

    @property
    def _marks(self) -> Path:
        return self._run.folder / "marks.jsonl"

    def _state(self) -> State:
        path = self._run.folder / "drill.json"
        try:
            return State(**json.loads(path.read_text()))
        except FileNotFoundError:
            return State(user=f"drill-{self._run.id[-4:]}")
        except (ValueError, TypeError) as error:
            raise RecoveryError(
                f"{path} does not tell how far the drill got",
                seen=f"{type(error).__name__}: {error}",
                expected="what a drill wrote there at its disaster",
                next_command="./nox -s drill",
            ) from None

    def _keep(self, state: State) -> None:
        write_atomically(self._run.folder / "drill.json", json.dumps(asdict(state)).encode())

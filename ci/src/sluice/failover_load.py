"""A switch under load: a client that writes meanwhile, what is there afterwards, and the figures of both."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sluice.adapters.process import beside
from sluice.adapters.process import run as run_program
from sluice.adapters.waiting import until
from sluice.domain import Source, dump
from sluice.errors import FailoverError
from sluice.failing_over import Switch
from sluice.files import json_lines, write_atomically
from sluice.recovery.marks import Mark, anchor_before
from sluice.region_tools import RegionTools
from sluice.regions.figures import SCHEMA, Figures, compared, silence
from sluice.regions.model import REGIONS
from sluice.suites import suite_context
from sluice.supply import artifact

PROGRAMS = Path("tests") / "failover"
_MARKS = 30  # before anything is switched
_MARKS_AFTER = 20
_BEGIN_SECONDS, _AFTER_SECONDS, _READ_SECONDS = 120.0, 120.0, 480.0
# How long audit may take to hear of what is there: of a region that was lost, events are lost too.
_HEARD_SECONDS = 90.0


class Load:
    """The client of one switch, and what it noted."""

    def __init__(self, tools: RegionTools, root: Path) -> None:
        self._tools = tools
        self._run = tools.run
        self._root = root
        self._user = f"failover-{self._run.id[-4:]}"
        self._file = self._run.folder / "marks.jsonl"

    def check(self) -> None:
        """Raise FailoverError where the tree has nothing to write with."""
        if not (self._root / PROGRAMS).is_dir():  # a project that adopts Sluice has other services
            raise FailoverError(
                "there is nothing to write to this tree's services with",
                seen=f"no {PROGRAMS}",
                expected=f"{PROGRAMS}/write.py and read.py, as Sluice's own tree has them",
                next_command="./nox -s failover -- --to REGION --no-load",
            )

    @asynccontextmanager
    async def writing(self, source: Source) -> AsyncIterator[None]:
        """Write marks while the block runs; whatever ends the writer before that is an error of the switch."""
        contexts = await self._contexts(source)
        given = [f"{region}={path}" for region, path in contexts.items()]
        words: list[str | Path] = [
            sys.executable, "-m", "tests.failover.write", self._tools.home, self._user, self._file, *given
        ]  # fmt: skip
        log = self._run.logs / "failover-write.log"
        async with beside(words, deadline_seconds=3 * 3600, cwd=self._root, log=log, what="writing marks"):
            yield

    async def begun(self) -> None:
        """Return once there are marks to be lost, and an anchor of the hash chain. Raises NotReady."""

        async def missing() -> str | None:
            lines = list(json_lines(self._file))
            marks, anchors = sum("id" in line for line in lines), sum("anchor" in line for line in lines)
            return (
                None if marks >= _MARKS and anchors else f"{marks} writes acknowledged, {anchors} anchors of the chain"
            )

        await self._until(missing, "the client that writes", _BEGIN_SECONDS)

    async def went_on(self, state: Switch) -> None:
        """Return once the new region acknowledges writes. Raises NotReady."""

        async def missing() -> str | None:
            after = sum(line.get("region") == state.target for line in json_lines(self._file) if "id" in line)
            return None if after >= _MARKS_AFTER else f"{after} writes acknowledged by {state.target}"

        await self._until(missing, f"{state.target} for who writes", _AFTER_SECONDS)

    async def figures(self, source: Source, state: Switch) -> Figures:
        """Read what is there now, and return what the switch came to; figures.json has it too."""
        lines = list(json_lines(self._file))
        marks = [Mark(one["id"], one["text"], one["at"]) for one in lines if "id" in one]
        found = await self._run.step(
            "read what is there", partial(self._read, source, state, lines), deadline_seconds=_READ_SECONDS
        )
        tasks, lost_at = compared(marks, [(name, text) for name, text in found["tasks"]], began=state.began)
        figures = Figures(
            SCHEMA, self._run.id, source.revision, state.source, state.target, state.epoch, not state.unreachable,
            state.forced, state.began, state.ended,
            silence([mark.at for mark in marks], since=state.began, until=state.ended),
            tasks, state.last_commit, tuple(found["unheard"]), bool(found["chain"]["valid"]),
            int(found["chain"]["entries"]), int(self._anchor(state, lines)["entries"]),
            tuple((step.name, step.seconds) for step in self._run.timings if step.started >= state.began - 1),
            tuple(lost_at),
        )  # fmt: skip
        self._run.write(self._run.folder / "figures.json", dump(figures))
        return figures

    async def _read(self, source: Source, state: Switch, lines: list[dict[str, Any]]) -> dict[str, Any]:
        file = self._run.folder / "found.json"
        contexts = await self._contexts(source)
        words: list[str | Path] = [
            sys.executable, "-m", "tests.failover.read", contexts[state.target], self._user, file,
            str(self._anchor(state, lines)["anchor"]), str(_HEARD_SECONDS), self._file,
        ]  # fmt: skip
        await run_program(
            words, deadline_seconds=_READ_SECONDS - 10, cwd=self._root,
            log=self._run.logs / "failover-read.log", what="reading what is there",
        )  # fmt: skip
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def _anchor(self, state: Switch, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """The newest anchor that the new side must have: of before it was touched, and of before its last commit."""
        until_then = min(state.began, state.last_commit or state.began) if state.unreachable else state.began
        found = anchor_before(lines, until_then)
        if found is None:
            raise FailoverError(
                "no anchor of the hash chain was taken before the switch",
                seen=f"{self._file} has none",
                expected="one every few seconds while marks are written",
                next_command=f"read {self._run.logs / 'failover-write.log'}",
            )
        return found

    async def _contexts(self, source: Source) -> dict[str, Path]:
        """How each region is reached, as the suites reach theirs."""
        tools = self._tools
        helm, kubectl = await tools.box.supply.get_all("helm", "kubectl")
        written = {}
        for region in REGIONS:
            context = suite_context(
                tools.settings, self._run, spaces=tools.settings.namespaces, services=source.services,
                fixtures=source.fixtures, kubeconfig=tools.kubeconfig(region), helm=artifact.program(helm),
                kubectl=artifact.program(kubectl),
            )  # fmt: skip
            written[region] = self._run.folder / f"context-{region}.json"
            write_atomically(written[region], dump(context))
        return written

    async def _until(self, cause: Any, what: str, seconds: float) -> None:
        log = self._run.logs / "failover-write.log"
        await until(cause, deadline_seconds=seconds, what=what, next_command=f"read {log}", every_seconds=0.5)

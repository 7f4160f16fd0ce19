"""A run: its folder, and the one way to take a step: progress, timing, deadline, result on disk.

.sluice/runs/<id>/steps/<step>.json   the result of each step, to be read back and replayed
                  logs/               what each program said
                  evidence.json …     what collect_evidence and the report write
.sluice/latest                        a link to the newest run
.sluice/timings.json                  how long each step took last time
"""

import json
import os
import re
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, Literal, TypeVar

import anyio
from anyio.abc import TaskGroup

from sluice.domain import StepTiming, dump
from sluice.errors import NotReady, SluiceError
from sluice.ports import Progress

T = TypeVar("T")


class Later(Generic[T]):
    """A result that another task is working on."""

    def __init__(self) -> None:
        self._done = anyio.Event()
        self._value: list[T] = []

    async def __call__(self) -> T:
        """Wait for the result. When its task fails, so does the task group, and with it whoever waits here."""
        await self._done.wait()
        return self._value[0]

    def set(self, value: T) -> None:
        """Hand the result to everybody who waits."""
        self._value.append(value)
        self._done.set()


def begin(group: TaskGroup, work: Callable[[], Awaitable[T]]) -> Later[T]:
    """Start a piece of work beside the others and return its result-to-be."""
    later: Later[T] = Later()

    async def run() -> None:
        later.set(await work())

    group.start_soon(run)
    return later


class Run:
    """One run of the pipeline."""

    def __init__(self, home: Path, progress: Progress) -> None:
        self.started = time.time()
        moment = datetime.fromtimestamp(self.started, UTC).strftime("%Y%m%dT%H%M%SZ")
        self.id = f"{moment}-{secrets.token_hex(2)}"
        self.folder = home / "runs" / self.id
        self.logs = self.folder / "logs"
        self.progress = progress
        self.timings: list[StepTiming] = []
        self._home = home
        self._last = _read_timings(home)
        (self.folder / "steps").mkdir(parents=True)
        self.logs.mkdir()
        _link(home / "latest", self.folder)

    async def step(
        self, name: str, work: Callable[[], Awaitable[T]], *, deadline_seconds: float, detail: str = ""
    ) -> T:
        """Take one step and return its result, which is also written below steps/ where it is one of domain.py.

        Raises NotReady at the deadline; whatever the step raises goes through, timed and shown.
        """
        self.progress.begin(name, expected_seconds=self._last.get(name))
        started, clock = time.time(), time.monotonic()
        outcome: Literal["done", "failed", "cancelled"] = "cancelled"
        try:
            with anyio.move_on_after(deadline_seconds) as limit:
                result = await work()
            if limit.cancelled_caught:
                raise NotReady(
                    f"the step {name!r} did not end within {deadline_seconds:.0f} s",
                    seen="still at work",
                    expected="its end",
                    next_command=f"read {self.logs}, or raise its deadline under [deadlines] in sluice.toml",
                )
            outcome = "done"
        except Exception:  # what is cancelled is none
            outcome = "failed"
            raise
        finally:
            seconds = round(time.monotonic() - clock, 2)
            self.timings.append(StepTiming(name, started, seconds, outcome, detail))
            self.progress.end(name, outcome=outcome, detail=detail)
        self._last[name] = seconds
        (self._home / "timings.json").write_text(json.dumps(self._last, indent=2, sort_keys=True))
        if is_dataclass(result) and not isinstance(result, type):
            file = re.sub(r"[^a-z0-9]+", "-", name) + ".json"
            (self.folder / "steps" / file).write_bytes(dump(result))
        return result

    def told(self, error: BaseException) -> str:
        """Say an error as the user should read it; one of ours by mistake goes with its traceback into the logs."""
        if isinstance(error, SluiceError):
            return str(error)
        place = self.logs / "traceback.txt"
        with suppress(OSError), place.open("a", encoding="utf-8") as file:
            file.writelines(traceback.format_exception(error))
        return f"Sluice itself failed: {type(error).__name__}: {error}\n  next:     report it with {place}"


def _read_timings(home: Path) -> dict[str, float]:
    try:
        found = json.loads((home / "timings.json").read_text())
    except (OSError, ValueError):
        return {}
    given = found.items() if isinstance(found, dict) else ()
    return {name: seconds for name, seconds in given if isinstance(seconds, int | float)}


def _link(link: Path, target: Path) -> None:
    temporary = link.with_name(f"{link.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        temporary.unlink()
    temporary.symlink_to(os.path.relpath(target, link.parent))
    os.replace(temporary, link)

"""A run: its folder, and the one way to take a step: progress, timing, deadline, result on disk.

.sluice/runs/<id>/run.json            what it was asked to do
                  steps.jsonl         each step as it begins and as it ends; components.jsonl what was obtained
                  steps/<step>.json   the result of each step, to be read back and replayed
                  logs/               what each program said
                  evidence.json …     what collect_evidence and the report write
                  .lock               held while somebody works on it; whatever kills them lets go of it
.sluice/latest                        a link to the newest run
.sluice/timings.json                  how long each step took last time

All of it is written as it happens, so that `sluice evidence` can make evidence of a run that was killed.
"""

import json
import os
import re
import secrets
import time
import traceback
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, Literal, TypeVar

import anyio
from anyio.abc import TaskGroup

from sluice.domain import Component, StepTiming, dump
from sluice.errors import EvidenceError, NotReady, SluiceError
from sluice.files import append_line, locked, write_atomically
from sluice.ports import Progress

S = TypeVar("S")
T = TypeVar("T")

STEPS = "steps.jsonl"
_MOMENT = "%Y%m%dT%H%M%SZ"
_step: ContextVar[str] = ContextVar("step", default="")


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


async def side_by_side(work: Callable[[S], Awaitable[T]], items: Iterable[S], *, width: int = 4) -> list[T]:
    """Return what work makes of each item, in their order, so many at a time; the first that fails ends the others."""
    given = list(items)
    found: dict[int, T] = {}
    limit = anyio.CapacityLimiter(width)

    async def one(number: int, item: S) -> None:
        async with limit:
            found[number] = await work(item)

    async with anyio.create_task_group() as group:
        for number, item in enumerate(given):
            group.start_soon(one, number, item)
    return [found[number] for number in range(len(given))]


class Run:
    """One run of the pipeline: a new one below `home`, or with `again` an earlier one that is to be finished.

    Raises EvidenceError where another process works on it.
    """

    def __init__(self, home: Path, progress: Progress, *, again: Path | None = None) -> None:
        self.started = time.time()
        moment = datetime.fromtimestamp(self.started, UTC).strftime(_MOMENT)
        self.id = again.name if again else f"{moment}-{secrets.token_hex(2)}"
        self.folder = again or home / "runs" / self.id
        self.logs = self.folder / "logs"
        self.progress = progress
        self.timings: list[StepTiming] = []
        self._home = home
        self._last = _read_timings(home)
        # What is done afterwards is no sign of life of the run.
        self._steps = "gathering.jsonl" if again else STEPS
        (self.folder / "steps").mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        # Let go of with this object, or by whatever ends the process.
        weakref.finalize(self, os.close, _locked(self.folder / ".lock"))
        if not again:
            _link(home / "latest", self.folder)

    def obtained(self, component: Component) -> None:
        """Note that a component is at hand."""
        self._append("components.jsonl", dump(component, indent=None).decode())

    async def step(
        self, name: str, work: Callable[[], Awaitable[T]], *, deadline_seconds: float, detail: str = ""
    ) -> T:
        """Take one step and return its result, which is also written below steps/ where it is one of domain.py.

        Raises NotReady at the deadline; whatever the step raises goes through, timed and shown.
        """
        self.progress.begin(name, expected_seconds=self._last.get(name))
        before = _step.set(name)
        started, clock = time.time(), time.monotonic()
        self._append(self._steps, json.dumps({"event": "begun", "name": name, "started": started}))
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
            self._append(self._steps, json.dumps({"event": "ended", **asdict(self.timings[-1])}))
            self.progress.end(name, outcome=outcome, detail=detail)
            _step.reset(before)
        self._keep(name, seconds)
        if is_dataclass(result) and not isinstance(result, type):
            file = re.sub(r"[^a-z0-9]+", "-", name) + ".json"
            self.write(self.folder / "steps" / file, dump(result))
        return result

    @contextmanager
    def whole(self, name: str) -> Iterator[None]:
        """Show steps as one piece of work, with the time that all of it took when every step was last done."""
        self.progress.begin(name, expected_seconds=self._last.get(name))
        clock, outcome = time.monotonic(), "failed"
        try:
            yield
            if all(step.outcome == "done" for step in self.timings):
                outcome = "done"
                self._keep(name, round(time.monotonic() - clock, 2))
        finally:
            self.progress.end(name, outcome=outcome)

    def say(self, text: str) -> None:
        """Show a word on the step that is being taken, however deep in its work that is said."""
        self.progress.update(_step.get(), text)

    def _keep(self, name: str, seconds: float) -> None:
        self._last[name] = seconds
        self.write(self._home / "timings.json", json.dumps(self._last, indent=2, sort_keys=True).encode())

    def write(self, path: Path, data: bytes) -> bool:
        """Write a file whole or not at all. What a full disk does not take is said, and is no reason to stop."""
        try:
            write_atomically(path, data)
        except OSError as error:
            self.progress.update("evidence", f"{path.name} is not written: {error.strerror}")
            return False
        return True

    def _append(self, name: str, line: str) -> None:
        with suppress(OSError):  # a step that is not noted is still taken
            append_line(self.folder / name, line)

    def told(self, error: BaseException) -> str:
        """Say an error as the user should read it; one of ours by mistake goes with its traceback into the logs."""
        if isinstance(error, SluiceError):
            return str(error)
        place = self.logs / "traceback.txt"
        with suppress(OSError), place.open("a", encoding="utf-8") as file:
            file.writelines(traceback.format_exception(error))
        return f"Sluice itself failed: {type(error).__name__}: {error}\n  next:     report it with {place}"


def is_at_work(folder: Path) -> bool:
    """Whether a process works on a run, this one included; not so of one that ended or was killed."""
    descriptor = locked(folder / ".lock")
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def _locked(path: Path) -> int:
    descriptor = locked(path)
    if descriptor is None:
        raise EvidenceError(
            f"the run {path.parent.name} is at work",
            seen="another process holds it",
            expected="a run that ended or was killed",
            next_command="wait for its end, or stop it",
        )
    return descriptor


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

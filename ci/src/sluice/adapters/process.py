"""Starting programs: with a deadline, their output kept, and nothing left running behind."""

import os
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.text import TextReceiveStream

from sluice.errors import CommandFailed, HostError, NotReady

_TAIL_LINES = 25
_LINGER_SECONDS = 5


@dataclass(frozen=True)
class Completed:
    """How a program ended: its exit status, what it wrote on stdout, the last lines of everything it wrote."""

    status: int
    stdout: str
    tail: str


async def run(
    argv: Sequence[str | Path],
    *,
    deadline_seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    what: str = "",
    next_command: str = "",
) -> Completed:
    """Run a program to its end and return how it ended.

    `env` is added to ours; secrets belong there or on `stdin`, never in `argv`. `log` receives every line.
    Raises HostError when the program does not exist, NotReady at the deadline (the whole process group is
    killed first), CommandFailed when `check` is set and the exit status is not 0.
    """
    words = [str(word) for word in argv]
    if shutil.which(words[0]) is None:
        raise HostError(
            f"{words[0]} cannot be started",
            seen="no such program",
            expected="the program on PATH",
            next_command="./nox -s doctor",
        )
    what = what or " ".join(words[:3])
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    stdout: list[str] = []
    ended = False
    try:
        process = await anyio.open_process(
            [*_dies_with_us(), *words],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    except OSError as error:  # a folder that is not there, a file that is no program, no more processes
        raise HostError(
            f"{words[0]} cannot be started",
            seen=str(error),
            expected="a program, and a folder to run it in",
            next_command="./nox -s doctor",
        ) from None
    try:
        with anyio.move_on_after(deadline_seconds) as limit, _Opened(log) as file:

            def seen(line: str, *, to: list[str] | None = None) -> None:
                tail.append(line)
                if to is not None:
                    to.append(line)
                if file:
                    with suppress(OSError):  # a full disk: the program's own end tells more than ours would
                        file.write(line + "\n")
                        file.flush()
                if on_line and line.strip():
                    on_line(line)

            async with anyio.create_task_group() as group:
                assert process.stdout
                assert process.stderr
                group.start_soon(_read_lines, process.stdout, lambda line: seen(line, to=stdout))
                group.start_soon(_read_lines, process.stderr, seen)
                if stdin is not None and process.stdin:
                    with suppress(anyio.BrokenResourceError, BrokenPipeError):
                        await process.stdin.send(stdin)
                    await process.stdin.aclose()
                await process.wait()
                ended = True
                # A daemon that the program left behind may hold the pipes open for ever.
                group.cancel_scope.deadline = anyio.current_time() + _LINGER_SECONDS
    finally:
        _kill_group(process)
        with anyio.CancelScope(shield=True):  # it is dead or about to be: nothing of it is left in our tables
            await process.aclose()
    if limit.cancelled_caught and not ended:
        raise NotReady(
            f"{what} did not end within {deadline_seconds:.0f} s",
            seen=" | ".join(list(tail)[-3:]) or "no output",
            expected="an end",
            next_command=next_command or (f"read {log}" if log else "run it by hand: " + " ".join(words)),
        )
    status = process.returncode if process.returncode is not None else -1
    done = Completed(status, "\n".join(stdout), "\n".join(tail))
    if check and status != 0:
        raise CommandFailed(
            f"{what} failed with exit status {status}",
            status=status,
            seen="\n            ".join(list(tail)[-12:]) or "no output",
            expected="exit status 0",
            next_command=next_command or (f"read {log}" if log else ""),
        )
    return done


@asynccontextmanager
async def beside(
    argv: Sequence[str | Path], *, deadline_seconds: float, cwd: Path, log: Path, what: str
) -> AsyncIterator[None]:
    """Run a program while the block runs, and end it with the block.

    What `run` raises meanwhile ends the block, in an exception group.
    """
    work = partial(run, argv, deadline_seconds=deadline_seconds, cwd=cwd, log=log, what=what)
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        yield
        group.cancel_scope.cancel()


@cache
def _dies_with_us() -> tuple[str, ...]:
    """A prefix by which the kernel ends the program when we are killed (prctl(2), PR_SET_PDEATHSIG).

    Without it a killed run would leave a `kind create` at work that the next run then meets half-way.
    """
    prefix = ("setpriv", "--pdeathsig", "KILL", "--")
    try:  # busybox has a setpriv that does not know the option
        understood = subprocess.run([*prefix, "true"], capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        understood = False
    return prefix if understood else ()


async def _read_lines(stream: ByteReceiveStream, seen: Callable[[str], None]) -> None:
    rest = ""
    async for chunk in TextReceiveStream(stream, errors="replace"):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            seen(line.rstrip("\r"))
    if rest:
        seen(rest)


def _kill_group(process: Process) -> None:
    """End a program that we started, and its children; one that has ended is left alone."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class _Opened:
    """An optional file, as a context."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> IO[str] | None:
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8")
        return self._file

    def __exit__(self, *_: object) -> None:
        if self._file:
            with suppress(OSError):  # what a full disk did not take is tried once more here
                self._file.close()

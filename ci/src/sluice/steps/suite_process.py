"""One pytest of the suites: started in a process group of its own, read line by line, and ended at the deadline."""

import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

DEADLINE_STATUS = 124  # what timeout(1) says
_GRACE_SECONDS = 3.0
_TAIL_LINES = 15


async def run_pytest(
    argv: Sequence[str],
    root: Path,
    environment: Mapping[str, str],
    log: Path,
    deadline_seconds: float,
    on_line: Callable[[str], None],
    *,
    told: float,
) -> tuple[int, str]:
    """Return the exit status and the last lines, which `log` gets too; nothing of the process group is left then.

    At the deadline the process group is killed, and the status is DEADLINE_STATUS; a signal's is negative. `told` are
    the seconds that all processes together have, of which `deadline_seconds` are left.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    process = await anyio.open_process(
        argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, cwd=root, env=environment, start_new_session=True
    )
    try:
        with log.open("a", encoding="utf-8") as file:

            def seen(line: str) -> None:
                file.write(line + "\n")
                file.flush()
                tail.append(line)
                on_line(line)

            async with anyio.create_task_group() as group:
                group.start_soon(_read_lines, process, seen)
                with anyio.move_on_after(deadline_seconds):
                    await process.wait()
                late = process.returncode is None
                if late:
                    seen(f"the deadline of {told:g} s passed; the suites are killed")
                    await _interrupt(process)
                _kill_group(process)
                # What a child left in the pipe is read; a process that fled the group may hold it for ever.
                group.cancel_scope.deadline = anyio.current_time() + _GRACE_SECONDS
    finally:
        _kill_group(process)
        with anyio.CancelScope(shield=True):
            await process.aclose()
    status = process.returncode if process.returncode is not None else -signal.SIGKILL
    return DEADLINE_STATUS if late else status, "\n".join(tail)


def reason_of(status: int, deadline_seconds: float) -> str:
    """Why tests have no end, in words, by the exit status of their process."""
    if status == DEADLINE_STATUS:
        return f"the deadline of {deadline_seconds:g} s for all suites passed"
    if status < 0:
        return f"the suites' process died: {signal.strsignal(-status) or f'signal {-status}'}"
    return f"the suites' process ended with exit status {status}"


def unended(begun: bool, reason: str, tail: str) -> str:
    """What is said of a test without an end; `tail` is what its process said last."""
    return f"it was running when {reason}\n{tail}" if begun else f"it did not run: {reason}"


async def _read_lines(process: Process, seen: Callable[[str], None]) -> None:
    assert process.stdout
    rest = ""
    async for chunk in TextReceiveStream(process.stdout, errors="replace"):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            seen(line.rstrip("\r"))
    if rest:
        seen(rest)


async def _interrupt(process: Process) -> None:
    """Let pytest write its reports, but not for long."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    with anyio.move_on_after(_GRACE_SECONDS):
        await process.wait()


def _kill_group(process: Process) -> None:
    # Also when pytest has ended: children that it left behind are still in its group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)

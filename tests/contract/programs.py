"""Real programs of SLUICE_BIN, started on loopback for a test module and ended after it."""

import os
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

_START_SECONDS = 60


def program(name: str) -> Path:
    """A program of SLUICE_BIN; the test fails where it is not there."""
    folder = os.environ.get("SLUICE_BIN", "")
    path = Path(folder) / name
    if not folder or not path.is_file():
        pytest.fail(
            f"{name} is not in SLUICE_BIN ({folder!r}); run ./nox -s tests, which builds it and sets that",
            pytrace=False,
        )
    return path.resolve()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on; held until all are known, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def answers(url: str) -> Callable[[], bool]:
    """A check for `running`: a GET of the address succeeds."""

    def check() -> bool:
        # No proxy of the environment: what is asked is on this machine.
        with httpx.Client(trust_env=False, timeout=2) as client:
            return client.get(url).is_success

    return check


async def until(check: Callable[[], Awaitable[bool]], *, within: float = 20) -> None:
    """Return once `check` does; raises TimeoutError after `within` seconds."""
    with anyio.fail_after(within):
        while True:
            if await check():
                return
            await anyio.sleep(0.05)


@contextmanager
def running(argv: Sequence[str | Path], *, ready: Callable[[], bool], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; fails with its log's end when it is not ready within a minute.

    A port may be taken between asking for a free one and using it. The program dies of it, and whatever
    answers on that port is somebody else's: that our own still lives is looked at after each answer.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(process, ready, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    deadline, cause = time.monotonic() + _START_SECONDS, "it did not answer"
    while time.monotonic() < deadline:
        try:
            answered = ready()
        except httpx.HTTPError as error:
            answered, cause = False, f"{type(error).__name__}: {error}"
        if process.poll() is not None:
            cause = f"it ended with status {process.returncode}"
            break
        if answered:
            return
        time.sleep(0.1)
    tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    pytest.fail(f"{log.stem} is not ready: {cause}\n{tail}", pytrace=False)

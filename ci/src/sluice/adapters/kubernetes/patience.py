"""Asking a busy API server again: for a moment it may not answer, while the host's cores are at something else."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from sluice.errors import CommandFailed

T = TypeVar("T")

# How helm's and kubectl's client says that it got no answer. Whatever the server itself says is an answer.
_UNREACHED = (
    "cluster unreachable",
    "connection refused",
    "connection reset by peer",
    "TLS handshake timeout",
    "i/o timeout",
    "unexpected EOF",
    "http2: client connection lost",
    "etcdserver: request timed out",
    "etcdserver: leader changed",
)
_LONGEST_SECONDS = 60.0


async def patiently(
    command: Callable[[], Awaitable[T]], *, longest_seconds: float = _LONGEST_SECONDS, pause_seconds: float = 1.0
) -> T:
    """Run a command that may be run twice, and again for as long as the API server was not reached.

    Raises its CommandFailed at once where the server answered, else the last one after `longest_seconds`.
    """
    end = anyio.current_time() + longest_seconds
    while True:
        try:
            return await command()
        except CommandFailed as error:
            if not any(said in error.seen for said in _UNREACHED) or anyio.current_time() >= end:
                raise
        await anyio.sleep(pause_seconds)

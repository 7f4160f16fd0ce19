"""Work that a service does beside its requests: begun with the app, begun again after a failure, ended with the app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import structlog

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0

_log = structlog.stdlib.get_logger("servicekit.background")


@dataclass(frozen=True)
class Background:
    """A piece of work that runs until it is cancelled, in anyio's way: a shielded scope inside is finished first."""

    name: str
    run: Callable[[], Awaitable[None]]


async def supervise(work: Background) -> None:
    """Run a piece of work for ever: what it raises is logged, and it is begun again after a growing pause."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        started = anyio.current_time()
        try:
            await work.run()
            _log.warning("background work ended by itself", work=work.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on
            _log.warning("background work failed", work=work.name, error=f"{type(error).__name__}: {error}"[:500])
        if anyio.current_time() - started > _LONGEST_PAUSE_SECONDS:
            pause = _FIRST_PAUSE_SECONDS  # it had worked: this is another failure
        await anyio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


@asynccontextmanager
async def running(works: Sequence[Background]) -> AsyncGenerator[None]:
    """Supervise all of them side by side; on leaving they are cancelled, and have ended."""
    stop = asyncio.Event()
    # A task of its own: a task group around the `yield` would wrap whatever the caller raises.
    beside = asyncio.create_task(_supervise_until(stop, works))
    try:
        yield
    finally:
        stop.set()
        await beside


async def _supervise_until(stop: asyncio.Event, works: Sequence[Background]) -> None:
    async with anyio.create_task_group() as group:
        for work in works:
            group.start_soon(supervise, work)
        await stop.wait()
        group.cancel_scope.cancel()

"""Work that a service does beside its requests: begun with the app, begun again after a failure, ended with the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio
import structlog

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0

_log = structlog.stdlib.get_logger("servicekit.background")


@dataclass(frozen=True)
class Background:
    """A piece of work that runs until it is cancelled."""

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


async def run_all(works: Sequence[Background]) -> None:
    """Supervise all of them side by side, until cancelled."""
    async with anyio.create_task_group() as group:
        for work in works:
            group.start_soon(supervise, work)

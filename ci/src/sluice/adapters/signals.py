"""Being told to stop: the work is cancelled, what must be written is still written."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskStatus


class Stopped:
    """The scope of the work, and why it was stopped, if it was."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.reason = ""


@asynccontextmanager
async def stopped_by_signal() -> AsyncIterator[Stopped]:
    """Cancel `scope` at the first SIGINT or SIGTERM; a second one ends the program as it would anywhere."""
    stopped = Stopped()

    async def watch(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for number in signals:
                stopped.reason = f"stopped by {signal.Signals(number).name}"
                stopped.scope.cancel()
                return

    async with anyio.create_task_group() as group:
        await group.start(watch)  # from here on, and not a moment later
        yield stopped
        group.cancel_scope.cancel()

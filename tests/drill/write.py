"""Writes marked tasks under load until it is ended, and notes each as it is acknowledged. Usage: CONTEXT USER FILE

A line of FILE is `{"id": …, "text": …, "at": …}`, or `{"anchor": …, "entries": …, "at": …}`: audit's head, after its
whole chain was checked. A task that was not acknowledged is not noted: nobody was told that it is kept.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import httpx
from tests.drill.reach import Reached, reach

from sluice.errors import SluiceError
from sluice.files import append_line

WRITERS = 3
EVERY_SECONDS = 0.3
ANCHOR_SECONDS = 5.0


async def write(reached: Reached, user: str, file: Path, number: int, **more: str) -> None:
    """Write one task, and note it with what else there is to be said of it."""
    backend = reached.clients.backend(user, lambda _: None)
    text = f"marked {number} by {user}"
    made = await backend.create(title=text)
    append_line(file, json.dumps({"id": str(made["id"]), "text": text, "at": time.time(), **more}))


async def anchor(reached: Reached, file: Path) -> None:
    """Check audit's whole chain, and note its head."""
    found = await reached.chain()
    assert found["valid"], f"the chain is broken before anything happened: {found}"
    append_line(file, json.dumps({"anchor": found["head"], "entries": found["entries"], "at": time.time()}))


async def main(context: Path, user: str, file: Path) -> None:
    """Write until killed: the cluster that is written to goes first."""
    numbers = iter(range(sys.maxsize))

    async def again(work: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            try:
                with anyio.move_on_after(10):
                    await work()
            except (SluiceError, httpx.HTTPError, AssertionError) as error:
                print(f"{type(error).__name__}: {error}", flush=True)
            await anyio.sleep(pause)

    async with reach(context) as reached, anyio.create_task_group() as group:
        for _ in range(WRITERS):
            group.start_soon(again, lambda: write(reached, user, file, next(numbers)), EVERY_SECONDS)
        group.start_soon(again, lambda: anchor(reached, file), ANCHOR_SECONDS)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))

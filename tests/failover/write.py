"""Writes marked tasks where the entry leads, until it is ended. Usage: HOME USER FILE REGION=CONTEXT REGION=CONTEXT

Lines of FILE are those of tests/drill/write.py, and `region` of each task: who acknowledged it.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import anyio
import httpx
from tests.drill.reach import Reached, reach
from tests.drill.write import anchor, write

from sluice.errors import SluiceError
from sluice.regions import active as entry

WRITERS = 3
EVERY_SECONDS = 0.1
ANCHOR_SECONDS = 3.0
_LONGEST_SECONDS = 5.0
_LOOK_SECONDS = 0.05


async def again(work: Callable[[], Awaitable[None]], pause: float) -> None:
    """Do it for ever; what fails is said and tried again."""
    while True:
        try:
            with anyio.fail_after(_LONGEST_SECONDS):
                await work()
        except (SluiceError, httpx.HTTPError, AssertionError, TimeoutError) as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        await anyio.sleep(pause)


async def until_it_leads_elsewhere(home: Path, now: entry.Active) -> None:
    """Return when the entry leads to another region, or to this one in another epoch."""
    while (found := entry.read(home)) is None or (found.region, found.epoch) == (now.region, now.epoch):
        await anyio.sleep(_LOOK_SECONDS)


async def in_a_region(
    reached: Reached, home: Path, now: entry.Active, user: str, file: Path, numbers: list[int]
) -> None:
    """Write in a region for as long as the entry leads there."""

    async def one() -> None:
        numbers[0] += 1
        await write(reached, user, file, numbers[0], region=now.region)

    async with anyio.create_task_group() as group:
        for _ in range(WRITERS):
            group.start_soon(again, one, EVERY_SECONDS)
        group.start_soon(again, partial(anchor, reached, file), ANCHOR_SECONDS)
        await until_it_leads_elsewhere(home, now)
        group.cancel_scope.cancel()


async def main(home: Path, user: str, file: Path, contexts: Mapping[str, Path]) -> None:
    """Write until killed."""
    numbers = [0]
    while True:
        now = entry.read(home)
        assert now, f"no region is active by {entry.path_of(home)}"
        try:
            async with reach(contexts[now.region]) as reached:
                await in_a_region(reached, home, now, user, file, numbers)
        except* (SluiceError, httpx.HTTPError, AssertionError) as group:
            print(f"{now.region} cannot be reached: {group.exceptions[0]}", flush=True)
            await anyio.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    pairs = (word.split("=", 1) for word in sys.argv[4:])
    given = {region: Path(context) for region, context in pairs}
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), given)

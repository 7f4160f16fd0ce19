"""A broker that restarts, and consumers that are killed, in the middle of it: nothing is lost, nothing is doubled."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest
from tests.e2e.events.effects import Effects
from tests.e2e.kube import Kube, is_ready
from tests.e2e.support import Backend, eventually

pytestmark = pytest.mark.anyio

BACK_WITHIN = 90.0
# Sidecars look for a broker that was away, and for messages that nobody acknowledged, with pauses of up to 10 s.
CAUGHT_UP_WITHIN = 60.0
PAUSE_SECONDS = 0.1
AT_LEAST = 20


async def test_a_broker_restart_loses_nothing_and_doubles_nothing(
    backend: Backend, effects: Effects, kube: Kube
) -> None:
    async with creating(backend) as made:
        await until_made(made, AT_LEAST)
        (broker,) = await kube.pods("kafka")
        await kube.delete(broker["metadata"]["name"])
        await until_made(made, len(made) + AT_LEAST)  # the backend takes tasks while there is no broker
    # None is made while it is waited: how long that takes is the host's, and they would outweigh all others of the run.
    await eventually(partial(replaced, kube, "kafka", {broker["metadata"]["uid"]}), within=BACK_WITHIN)
    await exactly_one_effect_of_each(effects, made)


async def test_consumers_that_are_killed_lose_nothing_and_double_nothing(
    backend: Backend, effects: Effects, kube: Kube, consumers: tuple[str, ...]
) -> None:
    killed: dict[str, set[str]] = {}
    async with creating(backend) as made:
        await until_made(made, AT_LEAST)
        for consumer in consumers:
            pods = await kube.pods(consumer)
            killed[consumer] = {pod["metadata"]["uid"] for pod in pods}
            for pod in pods:
                await kube.delete(pod["metadata"]["name"], grace_seconds=0)
        await until_made(made, len(made) + AT_LEAST)
    for consumer, uids in killed.items():
        await eventually(partial(replaced, kube, consumer, uids), within=BACK_WITHIN)
    await exactly_one_effect_of_each(effects, made)


@asynccontextmanager
async def creating(backend: Backend) -> AsyncIterator[list[str]]:
    """Create tasks one after the other while the block runs; gives the list of their ids, which grows."""
    made: list[str] = []
    enough = anyio.Event()

    async def create() -> None:
        while not enough.is_set():  # and not cancelled in the middle: each that is made has to be known
            made.append((await backend.create(title=f"task {len(made)}"))["id"])
            await anyio.sleep(PAUSE_SECONDS)

    async with anyio.create_task_group() as group:
        group.start_soon(create)
        yield made
        enough.set()


async def until_made(made: list[str], count: int) -> None:
    """Return once so many tasks are made."""

    async def enough() -> None:
        assert len(made) >= count, f"{len(made)} of {count} tasks are made"

    await eventually(enough, within=BACK_WITHIN)


async def replaced(kube: Kube, service: str, killed: set[str]) -> None:
    """Assert that other pods than those killed are there and ready."""
    pods = await kube.pods(service)
    assert pods, f"{service} has no pod"
    assert not killed & {pod["metadata"]["uid"] for pod in pods}, f"a pod of {service} that was killed is still there"
    waiting = [pod["metadata"]["name"] for pod in pods if not is_ready(pod)]
    assert not waiting, f"{waiting} are not ready"


async def exactly_one_effect_of_each(effects: Effects, made: list[str]) -> None:
    """Assert that each creation is one numbered change, in order and without a gap, and one audit entry."""

    async def there() -> None:
        changes = await effects.changes()
        assert len(changes) >= len(made), f"sync has {len(changes)} of {len(made)} changes"
        assert [(number, task) for number, _, task in changes] == list(enumerate(made, 1))
        entries = await effects.entries()
        assert entries.total() >= len(made), f"audit has {entries.total()} of {len(made)} entries"
        doubled = {event: count for event, count in entries.items() if count != 1}
        assert not doubled, f"audit has these more than once: {doubled}"
        assert len(entries) == len(made)

    await eventually(there, within=CAUGHT_UP_WITHIN, every=1)

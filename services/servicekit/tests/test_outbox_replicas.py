"""Two replicas with one database: one of them relays at a time, and what one commits the other may publish."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from servicekit.events import TASK_CREATED, TaskChanged, new_event
from servicekit.outbox import lock_key
from testkit.events import KeptPublisher, snapshot
from testkit.example import Example, ExampleSettings, tables

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

DEADLINE_SECONDS = 30


class Gate(KeptPublisher):
    """A broker that is slow: publishing waits until the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def publish(self, topic: str, key: str, event: str) -> None:
        self.reached.set()
        await self.opened.wait()
        await super().publish(topic, key, event)


async def store(example: Example, count: int) -> list[str]:
    """Commit so many events and return their ids."""
    stored = []
    async with example.database.transaction() as session:
        for _ in range(count):
            task = snapshot()
            data = TaskChanged(actor="ann", after=task)
            event = new_event(TASK_CREATED, data, source="example", subject=str(task.id), key="ann")
            await example.outbox.add(session, TASK_CREATED, event)
            stored.append(event.id)
    return stored


async def test_while_one_publishes_the_other_does_not(on_postgresql: ExampleSettings) -> None:
    slow, idle = Gate(), KeptPublisher()
    first, second = Example(on_postgresql, slow), Example(on_postgresql, idle)
    stored = await store(first, 3)
    async with asyncio.timeout(DEADLINE_SECONDS):
        publishing = asyncio.create_task(first.outbox.publish_batch())
        await slow.reached.wait()
        assert not await second.outbox.publish_batch()
        assert idle.published == []
        slow.opened.set()
        await publishing
        await second.outbox.publish_batch()
    assert [event["id"] for _, _, event in slow.published] == stored
    assert idle.published == []


async def test_relays_side_by_side_publish_each_event_once(on_postgresql: ExampleSettings) -> None:
    publisher = KeptPublisher()
    first, second = Example(on_postgresql, publisher), Example(on_postgresql, publisher)
    async with first.serving(), second.serving(), asyncio.timeout(DEADLINE_SECONDS):
        stored: list[str] = []
        for example in (first, second, second, first):
            stored += await store(example, 20)
            example.outbox.wake()
        while len(publisher.published) < len(stored) or await first.pending():
            await asyncio.sleep(0.01)
    assert [event["id"] for _, _, event in publisher.published] == stored


async def test_a_relay_that_died_leaves_no_lock(on_postgresql: ExampleSettings) -> None:
    slow, publisher = Gate(), KeptPublisher()
    first, second = Example(on_postgresql, slow), Example(on_postgresql, publisher)
    stored = await store(first, 1)
    async with asyncio.timeout(DEADLINE_SECONDS):
        publishing = asyncio.create_task(first.outbox.publish_batch())
        await slow.reached.wait()
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        while not publisher.published:  # the server ends the session a moment after its connection
            await second.outbox.publish_batch()
    assert [event["id"] for _, _, event in publisher.published] == stored


def test_each_service_has_a_lock_of_its_own() -> None:
    keys = {lock_key(name) for name in ("backend", "sync", "audit")}
    assert len(keys) == 3
    assert all(-(2**63) <= key < 2**63 for key in keys)


async def test_the_order_is_that_of_storing_wherever_rows_lie(on_postgresql: ExampleSettings) -> None:
    publisher = KeptPublisher()
    example = Example(on_postgresql, publisher)
    stored = await store(example, 3)
    async with example.database.transaction() as session:
        # A row that is written again lies behind the others.
        await session.execute(
            update(tables.outbox).where(tables.outbox.c.event.contains(stored[0])).values(topic="tasks")
        )
    async with asyncio.timeout(DEADLINE_SECONDS):
        await example.outbox.publish_batch()
    assert [event["id"] for _, _, event in publisher.published] == stored

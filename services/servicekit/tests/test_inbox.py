"""The inbox: an event has its effect once, however often and wherever it is delivered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, text

from servicekit.inbox import KEPT, first_time, pruning
from testkit.events import KeptPublisher
from testkit.example import Example, ExampleSettings, tables

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 30


async def seen(example: Example, event_id: str) -> bool:
    """Note an event in a transaction of its own and return whether it was new."""
    async with example.database.transaction() as session:
        return await first_time(session, tables, event_id)


async def test_an_event_is_new_once(events_settings: ExampleSettings) -> None:
    example = Example(events_settings, KeptPublisher())
    assert [await seen(example, event_id) for event_id in ("a", "b", "a", "a")] == [True, True, False, False]


async def test_what_was_rolled_back_is_new_again(events_settings: ExampleSettings) -> None:
    example = Example(events_settings, KeptPublisher())

    async def fail() -> None:
        async with example.database.transaction() as session:
            assert await first_time(session, tables, "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await seen(example, "a")


@pytest.mark.contract
@pytest.mark.parametrize("commits", [True, False])
async def test_a_second_delivery_waits_for_the_first(on_postgresql: ExampleSettings, *, commits: bool) -> None:
    first, second = Example(on_postgresql, KeptPublisher()), Example(on_postgresql, KeptPublisher())
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(DEADLINE_SECONDS):
        try:
            async with first.database.transaction() as session:
                assert await first_time(session, tables, "a")
                other = asyncio.create_task(seen(second, "a"))
                while not await _number(first, waiting):
                    assert not other.done(), "it did not wait"
                if not commits:
                    raise RuntimeError("the first has no effect")
        except RuntimeError:
            pass
        assert await other is not commits


async def _number(example: Example, statement: str) -> int:
    async with example.database.transaction() as session:
        return int(await session.scalar(text(statement)) or 0)


async def test_only_what_no_broker_delivers_any_more_is_forgotten(events_settings: ExampleSettings) -> None:
    example = Example(events_settings, KeptPublisher())
    now = datetime.now(UTC)
    ages = {"new": timedelta(0), "young": KEPT - timedelta(minutes=1), "old": KEPT + timedelta(minutes=1)}
    async with example.database.transaction() as session:
        for event_id, age in ages.items():
            await session.execute(insert(tables.inbox).values(event_id=event_id, received_at=now - age))
    running = asyncio.create_task(pruning(example.database, tables).run())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await _count(example) == len(ages):
            await asyncio.sleep(0.01)
    running.cancel()
    assert [await seen(example, event_id) for event_id in ages] == [False, False, True]


async def _count(example: Example) -> int:
    async with example.database.transaction() as session:
        return int(await session.scalar(select(func.count()).select_from(tables.inbox)) or 0)

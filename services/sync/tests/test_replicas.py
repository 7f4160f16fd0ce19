"""Two replicas on one PostgreSQL: whichever consumes an event, the clients of both get it, once and in order."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from sync.announce import CHANNEL
from sync.models import Base
from testkit.settings import empty_tables

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

LISTENING = "websocket_listener_connected"


@pytest.fixture
async def settings(postgresql_settings: Any) -> Any:
    """Only PostgreSQL notifies other processes."""
    await empty_tables(postgresql_settings, Base.metadata)
    return postgresql_settings


async def execute(settings: Any, statement: str, *values: object) -> list[Any]:
    """Run one statement and return the first column."""
    connection = await asyncpg.connect(
        host=settings.database_host,
        port=settings.database_port,
        user=settings.database_user,
        database=settings.database_name,
        password=settings.database_password(),
    )
    try:
        return [row[0] for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


async def cut_listeners(settings: Any) -> int:
    """End the sessions that listen, and return how many there were."""
    statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sync-listener'"
    return len(await execute(settings, statement))


async def test_clients_of_both_replicas_get_what_either_consumed(start: Any, settings: Any) -> None:
    one, two = await start(settings), await start(settings)
    async with one.connected("ann") as here, two.connected("ann") as there, two.connected("bob") as bob:
        async with asyncio.TaskGroup() as group:
            for replica in (one, two):
                for _ in range(3):
                    group.create_task(replica.change("ann", 10))
        await one.change("bob", 2)
        found = await here.changes(60)
        assert [change["sequence"] for change in found] == list(range(1, 61))
        assert await there.changes(60) == found, "both see the same, in the same order"
        assert [change["event"]["task"]["owner"] for change in await bob.changes(2)] == ["bob", "bob"]


async def test_a_client_goes_on_at_the_other_replica(start: Any, settings: Any) -> None:
    one, two = await start(settings), await start(settings)
    seen: list[int] = []
    writing = asyncio.create_task(one.change("ann", 80))
    turn = 0
    while len(seen) < 80:
        replica = (one, two)[turn % 2]
        async with replica.connected("ann", after=len(seen)) as ann:
            seen += [change["sequence"] for change in await ann.changes(min(8, 80 - len(seen)))]
        turn += 1
    await writing
    assert seen == list(range(1, 81))


async def test_nothing_is_lost_when_the_listeners_are_cut(start: Any, settings: Any) -> None:
    one, two = await start(settings), await start(settings)
    async with one.connected("ann") as here, two.connected("ann") as there, two.connected("bob") as bob:
        for _ in range(3):
            assert await cut_listeners(settings) == 2
            # Consumed while nobody, or only some, listen.
            await asyncio.gather(one.change("ann", 5), two.change("bob", 1))
            for replica in (one, two):
                await replica.until_sample(LISTENING, lambda value: value == 1)
        for client, number in ((here, 15), (there, 15), (bob, 3)):
            assert [change["sequence"] for change in await client.changes(number)] == list(range(1, number + 1))


async def test_what_commits_while_nobody_listens_is_caught_up_with(start: Any, settings: Any) -> None:
    replica = await start(settings)
    async with replica.connected("ann") as ann:
        # As if the notification had been lost: the rows are there, and nobody says so.
        await replica.change("ann")
        await ann.changes(1)
        copy = """INSERT INTO changes SELECT owner, sequence + 1, event_id, type, task_id, version, task, time,
                  recorded_at, traceparent FROM changes WHERE owner = 'ann'"""
        await execute(settings, copy)
        await execute(settings, "UPDATE streams SET last_sequence = 2 WHERE owner = 'ann'")
        assert await cut_listeners(settings) == 1
        assert [change["sequence"] for change in await ann.changes(1)] == [2]


async def test_the_gauge_tells_when_nobody_listens(start: Any, settings: Any, postgresql: Any) -> None:
    replica = await start(settings)
    async with replica.connected("ann") as ann:
        await asyncio.to_thread(postgresql.stop)
        try:
            await replica.until_sample(LISTENING, lambda value: value == 0)
            assert (await replica.http.get("/readyz")).status_code == 503
            code, reason = await replica.refused(additional_headers=replica.keys.headers("bob"))
            assert (code, "try again later" in reason) == (1013, True)
        finally:
            await asyncio.to_thread(postgresql.start)
        await replica.until_sample(LISTENING, lambda value: value == 1)
        await replica.change("ann")
        assert len(await ann.changes(1)) == 1, "the connection outlived the database's restart"
    assert (await replica.samples())["websocket_connections_total{outcome=failed}"] == 1


async def test_a_notification_of_somebody_else_is_no_harm(start: Any, settings: Any) -> None:
    replica = await start(settings)
    async with replica.connected("ann") as ann:
        for payload in ("", "ann", "x ann", "99 nobody", "7"):
            await execute(settings, "SELECT pg_notify($1, $2)", CHANNEL, payload)
        await replica.change("ann")
        assert [change["sequence"] for change in await ann.changes(1)] == [1]

"""How changes get their numbers: in the order of the commits, without a gap, whatever is rolled back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from servicekit.database import Database, create_engine
from servicekit.events import TASK_UPDATED, parse_event
from servicekit.metrics import Metrics
from sync.announce import LocalAnnouncer
from sync.store import Head, Store, record
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio


class RolledBack(Exception):
    """Raised to leave a transaction without a commit."""


@pytest.fixture
async def database_of(settings: Any) -> AsyncIterator[Database]:
    """The database itself."""
    database = Database(create_engine(settings, application="numbering", pooled=False), Metrics())
    yield database
    await database.close()


@pytest.fixture
def only_postgresql(settings: Any) -> None:
    """SQLite has one lock for all of a database."""
    if not settings.database_host:
        pytest.skip("locks of rows are PostgreSQL's")


def event(owner: str = "ann") -> Any:
    """Return the event of a new task's change."""
    return parse_event(json.dumps(changed(TASK_UPDATED, snapshot(owner))))


async def test_a_rolled_back_change_leaves_no_gap_and_is_not_announced(database_of: Any) -> None:
    heard: list[tuple[str, int]] = []
    announcer = LocalAnnouncer(lambda owner, sequence: heard.append((owner, sequence)))
    for ends, expected in ((None, 1), (RolledBack, 2), (None, 2)):
        try:
            async with database_of.transaction() as session:
                assert await record(session, event()) == expected
                await announcer.announce(session, "ann", expected)
                assert (("ann", expected) in heard) is False
                if ends:
                    raise ends
        except RolledBack:
            pass
    assert heard == [("ann", 1), ("ann", 2)]
    store = Store(database_of)
    assert await store.head("ann") == Head(last=2, oldest=1)
    assert [change.sequence for change in await store.read("ann", 0, 10)] == [1, 2]


@pytest.mark.usefixtures("only_postgresql")
async def test_a_change_waits_for_the_owners_other_one_to_commit(database_of: Any) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'numbering' AND wait_event_type = 'Lock'"

    async def number(owner: str) -> int | None:
        async with database_of.transaction() as session:
            return await record(session, event(owner))

    async def waits() -> bool:
        async with database_of.transaction() as session:  # of its own: what it sees stays as it was first seen
            return bool(await session.scalar(text(waiting)))

    async with database_of.transaction() as session:
        assert await record(session, event()) == 1
        second = asyncio.create_task(number("ann"))
        async with asyncio.timeout(60):
            while not await waits():
                assert not second.done(), "the second commits before the first, and clients would never see the first"
        assert await number("bob") == 1, "other owners need not wait"
    assert await second == 2

"""The idempotent consumer: an event's id is stored with its effect, so that a second delivery has none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.background import Background
from servicekit.database import UNOBSERVED, Database
from servicekit.tables import EventTables

# Longer than Kafka keeps a message by default (7 days): what is forgotten cannot come again.
KEPT = timedelta(days=14)
_PRUNE_SECONDS = 3600.0


async def first_time(session: AsyncSession, tables: EventTables, event_id: str) -> bool:
    """Note an event's id in the caller's transaction and return whether it is new here.

    On PostgreSQL a concurrent delivery of the same event waits here for the other transaction's end.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"event_id": event_id, "received_at": datetime.now(UTC)}
    result = await session.execute(insert(tables.inbox).values(row).on_conflict_do_nothing())
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def pruning(database: Database, tables: EventTables) -> Background:
    """Background work that forgets ids which no broker delivers any more."""

    async def forget() -> None:
        async with database.transaction() as session:
            old = delete(tables.inbox).where(tables.inbox.c.received_at < datetime.now(UTC) - KEPT)
            await session.execute(old, execution_options=UNOBSERVED)

    async def run() -> None:
        while True:
            with anyio.CancelScope(shield=True):
                await forget()
            await anyio.sleep(_PRUNE_SECONDS)

    return Background("inbox pruning", run)

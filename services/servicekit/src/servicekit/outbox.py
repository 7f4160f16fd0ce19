"""The transactional outbox (https://microservices.io/patterns/data/transactional-outbox.html).

A change and its event commit together; the relay publishes what is committed, in order, and removes it once the
broker has it. One replica relays at a time, so that order holds; a crash after publishing publishes again, which
readers know by the event's id.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import anyio
import structlog
from sqlalchemy import Row, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.background import Background
from servicekit.context import working_on
from servicekit.dapr import Publisher, PublishError
from servicekit.database import UNOBSERVED, Database
from servicekit.event_metrics import EventMetrics
from servicekit.events import Event, EventType
from servicekit.tables import EventTables

_BATCH = 50
_POLL_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 5.0
# Another replica is publishing: what was committed here since may not be in its batch.
_BUSY_SECONDS = 0.2
# A batch ends after this, whatever is left of it: its transaction is open as long, and a shutdown waits for it.
_BATCH_SECONDS = 5.0

_log = structlog.stdlib.get_logger("servicekit.outbox")


class Outbox:
    """A service's outbox: `add` inside a transaction, `wake` after it, and the relay as background work."""

    def __init__(
        self, database: Database, tables: EventTables, publisher: Publisher, metrics: EventMetrics, service: str
    ) -> None:
        self._database = database
        self._table = tables.outbox
        self._publisher = publisher
        self._metrics = metrics
        self._lock_key = lock_key(service)
        self._wake = anyio.Event()
        self._busy = False

    async def add(self, session: AsyncSession, kind: EventType[Any], event: Event[Any]) -> None:
        """Store an event with whatever else the caller's transaction changes."""
        row = {
            "topic": kind.topic,
            "key": event.key,
            "type": event.type,
            "event": event.to_json(),
            "created_at": datetime.now(UTC),
        }
        await session.execute(insert(self._table).values(row))

    def wake(self) -> None:
        """Tell the relay that something was committed: it need not wait for its next look."""
        self._wake.set()

    def background(self) -> Background:
        """The relay, for the app to run."""
        return Background("outbox relay", self.relay)

    async def relay(self) -> None:
        """Publish what is committed, for ever."""
        pause = _POLL_SECONDS
        while True:
            self._wake = anyio.Event()
            try:
                # A batch that has begun is ended: stopping the service publishes nothing twice.
                with anyio.CancelScope(shield=True):
                    more = await self.publish_batch()
            except PublishError as error:
                _log.warning("events wait in the outbox", error=str(error), pause_seconds=pause)
                # Not woken by the next change: that would only ask the same broker again.
                await anyio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            pause = _POLL_SECONDS
            if not more:
                with anyio.move_on_after(_BUSY_SECONDS if self._busy else _POLL_SECONDS):
                    await self._wake.wait()

    async def publish_batch(self) -> bool:
        """Publish the oldest events, and return whether there may be more of them to publish at once.

        Raises PublishError where the broker refused one: those before it are published and gone.
        """
        failure: PublishError | None = None
        async with self._database.transaction() as session:
            self._busy = not await self._is_relay(session)
            if self._busy:
                return False
            oldest = select(self._table).order_by(self._table.c.id).limit(_BATCH)
            rows = (await session.execute(oldest, execution_options=UNOBSERVED)).all()
            done: list[int] = []
            end = anyio.current_time() + _BATCH_SECONDS
            for row in rows:
                if anyio.current_time() > end:
                    break
                try:
                    await self._publish(row)
                except PublishError as error:
                    self._metrics.published.labels(row.type, "failed").inc()
                    failure = error
                    break
                self._metrics.published.labels(row.type, "published").inc()
                done.append(row.id)
            if done:
                published = delete(self._table).where(self._table.c.id.in_(done))
                await session.execute(published, execution_options=UNOBSERVED)
            await self._measure(session)
        if failure:
            raise failure
        return len(rows) == _BATCH or len(done) < len(rows)

    async def _publish(self, row: Row[Any]) -> None:
        """Publish one event, under the trace that it belongs to."""
        event = json.loads(row.event)
        with working_on(event["traceparent"]):
            await self._publisher.publish(row.topic, row.key, row.event)
            _log.info("event published", type=row.type, event_id=event["id"], task_id=event["subject"])

    async def _is_relay(self, session: AsyncSession) -> bool:
        if session.get_bind().dialect.name != "postgresql":
            return True
        statement = text("SELECT pg_try_advisory_xact_lock(:key)")
        return bool(await session.scalar(statement, {"key": self._lock_key}, execution_options=UNOBSERVED))

    async def _measure(self, session: AsyncSession) -> None:
        counted = select(func.count(), func.min(self._table.c.created_at)).select_from(self._table)
        pending, oldest = (await session.execute(counted, execution_options=UNOBSERVED)).one()
        self._metrics.pending.set(pending)
        self._metrics.oldest_seconds.set((datetime.now(UTC) - oldest).total_seconds() if oldest else 0)


def lock_key(service: str) -> int:
    """Return the advisory lock of a service's relay: a signed 64-bit number that is the same in every process."""
    digest = hashlib.sha256(f"sluice-outbox:{service}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)

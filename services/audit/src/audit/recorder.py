"""Appends every event to the chain, in the transaction that notes it as done."""

from __future__ import annotations

from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import rfc8785
import structlog
from sqlalchemy import event as sqlalchemy_events
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from audit.chain import hash_of
from audit.metrics import AuditMetrics
from audit.models import Entry, Head
from servicekit.context import trace_id_of
from servicekit.events import Event, TaskChanged
from servicekit.subscriptions import Refused

_log = structlog.stdlib.get_logger("audit.recorder")


class Recorder:
    """Writes events down, one at a time whatever the number of replicas."""

    def __init__(self, metrics: AuditMetrics) -> None:
        self._metrics = metrics

    async def record(self, session: AsyncSession, event: Event[Any]) -> None:
        """Append an event. The head's row stays locked until the transaction ends: the chain cannot fork.

        Raises Refused where the event has no canonical form, and so no hash.
        """
        started = perf_counter()
        head = await session.scalar(select(Head).with_for_update())
        assert head is not None, "the migration made it"
        # The inbox forgets after two weeks, the log never: an old event that is published again is no new entry.
        if await session.scalar(select(Entry.sequence).where(Entry.event_id == event.id)):
            _log.warning("event recorded before", type=event.type, event_id=event.id)
            return
        entry = _entry(event)
        entry.sequence, entry.previous_hash = head.sequence + 1, head.hash
        try:
            entry.hash = hash_of(entry)
        except rfc8785.CanonicalizationError as error:
            raise Refused(f"the event has no canonical form (RFC 8785): {error}"[:500]) from error
        head.sequence, head.hash = entry.sequence, entry.hash
        session.add(entry)
        await session.flush()

        def committed(_session: object) -> None:
            self._metrics.appended(event.type, entry.sequence, perf_counter() - started)

        sqlalchemy_events.listen(session.sync_session, "after_commit", committed, once=True)
        _log.info("event recorded", type=event.type, event_id=event.id, sequence=entry.sequence)


def _entry(event: Event[Any]) -> Entry:
    """As it was written: what a newer version adds is kept, whatever this one knows of it."""
    data = event.data_as_written()
    changed = isinstance(event.data, TaskChanged)
    more = {name: value for name, value in data.items() if name not in TaskChanged.model_fields} or None
    return Entry(
        event_id=event.id,
        type=event.type,
        source=event.source,
        subject=event.subject,
        owner=event.data.task.owner if changed else str(data.get("owner", "")),
        # What no user did, a service did.
        actor=event.data.actor if changed else event.source.rpartition("/")[2][:64],
        occurred_at=event.time,
        recorded_at=datetime.now(UTC),
        trace_id=trace_id_of(event.traceparent),
        before=data.get("before") if changed else None,
        after=data.get("after") if changed else None,
        data=more if changed else data,
    )

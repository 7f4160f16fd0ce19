"""An event becomes one delivery for each of its owner's channels that wants it, in the inbox row's transaction."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from notification.clock import Clock
from notification.messages import DELIVERABLE, Message, message_of
from notification.models import Channel, Delivery, DeliveryState
from servicekit.context import current_context, traceparent
from servicekit.events import Event, ReminderDue
from servicekit.subscriptions import Subscriptions


class Consumer:
    """Handles all events that somebody may be told of."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def subscribe(self, subscriptions: Subscriptions) -> None:
        """Have every deliverable event handled here."""
        for kind in DELIVERABLE.values():
            subscriptions.on(kind, self.on_event)

    async def on_event(self, session: AsyncSession, event: Event[Any]) -> None:
        """Store the event's deliveries; they are due at once."""
        message = message_of(event)
        owner = event.data.owner if isinstance(event.data, ReminderDue) else event.data.task.owner
        channels = (await session.scalars(select(Channel).where(Channel.owner == owner))).all()
        rows = [self._row(channel, message) for channel in channels if message.type in channel.events]
        if not rows:
            return
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        # The inbox row says already that the event is new; the constraint holds where ids were forgotten.
        await session.execute(insert(Delivery).on_conflict_do_nothing(), rows)

    def _row(self, channel: Channel, message: Message) -> dict[str, Any]:
        now = self._clock()
        return {
            "id": uuid.uuid4(),
            "channel_id": channel.id,
            "owner": channel.owner,
            "event_id": message.event_id,
            "event": message.type,
            "task_id": message.data.task.id,
            "body": message.to_json(),
            # Of the event's trace: the subscriptions put its id on what is being served.
            "traceparent": traceparent(current_context()),
            "occurred_at": message.timestamp,
            "created_at": now,
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "next_attempt_at": now,
            "last_error": "",
        }

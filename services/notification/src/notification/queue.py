"""Deliveries as a queue in the database: claimed under a lease, settled by the lease's holder alone.

A claim moves `next_attempt_at` to the lease's end, so that what a killed replica left is due again by itself
(a visibility timeout), and each claim counts as an attempt, so that a delivery that kills its replica ends too.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from notification.clock import Clock
from notification.messages import DELIVERABLE
from notification.models import LONGEST_ERROR, Channel, Delivery, DeliveryState
from notification.outcomes import Claimed
from notification.settings import NotificationSettings
from servicekit.database import Database
from servicekit.events import DEAD_LETTER, DeadLetter, new_event
from servicekit.outbox import Outbox

_KEPT_TEXT = 32_000


class DeliveryQueue:
    """The deliveries that wait, for all replicas together."""

    def __init__(self, settings: NotificationSettings, database: Database, outbox: Outbox, clock: Clock) -> None:
        self._service = settings.service_name
        self._per_user = settings.delivery_concurrency_per_user
        self._lease = timedelta(seconds=settings.delivery_lease_seconds)
        self._database = database
        self._outbox = outbox
        self._clock = clock

    async def claim(self, limit: int) -> list[Claimed]:
        """Lease up to `limit` due deliveries, the longest due first, and return them."""
        claimed: list[Claimed] = []
        async with self._database.transaction() as session:
            while len(claimed) < limit and (one := await self._claim_one(session)):
                claimed.append(one)
        return claimed

    async def delivered(self, claimed: Claimed) -> bool:
        """Note that it arrived. Like the next three, return False where the lease was another's by then."""
        async with self._database.transaction() as session:
            values = {"state": DeliveryState.DELIVERED, "delivered_at": self._clock(), "last_error": ""}
            return await self._settle(session, claimed, values)

    async def retry(self, claimed: Claimed, reason: str, seconds: float) -> bool:
        """Note that it failed and is due again in so many seconds."""
        async with self._database.transaction() as session:
            due = self._clock() + timedelta(seconds=seconds)
            return await self._settle(session, claimed, {"next_attempt_at": due, "last_error": _cut(reason)})

    async def bury(self, claimed: Claimed, reason: str) -> bool:
        """Give it up: the state and the dead letter with the reason commit together."""
        async with self._database.transaction() as session:
            values = {"state": DeliveryState.DEAD, "last_error": _cut(reason)}
            held = await self._settle(session, claimed, values)
            if held:
                await self._add_dead_letter(session, claimed, reason)
        if held:
            self._outbox.wake()
        return held

    async def release(self, claimed: Claimed) -> bool:
        """Give back what this replica, which stops, did not finish: it is due at once, and not counted."""
        async with self._database.transaction() as session:
            values = {"next_attempt_at": self._clock(), "attempts": claimed.attempt - 1}
            return await self._settle(session, claimed, values)

    async def pending(self) -> int:
        """Return how many are neither delivered nor dead."""
        async with self._database.transaction() as session:
            counted = select(func.count()).where(Delivery.state == DeliveryState.PENDING)
            return await session.scalar(counted) or 0

    async def _claim_one(self, session: AsyncSession) -> Claimed | None:
        now = self._clock()
        # One user's slow receivers must not take all places. Another replica's claims of this very moment are not
        # seen, so a user may have a few more: that is no harm.
        crowded = (
            select(Delivery.owner)
            .where(
                Delivery.state == DeliveryState.PENDING,
                Delivery.lease.is_not(None),
                Delivery.next_attempt_at > now,
            )
            .group_by(Delivery.owner)
            .having(func.count() >= self._per_user)
        )
        due = (
            select(Delivery.id)
            .where(
                Delivery.state == DeliveryState.PENDING,
                Delivery.next_attempt_at <= now,
                Delivery.owner.not_in(crowded),
            )
            .order_by(Delivery.next_attempt_at, Delivery.id)
            .limit(1)
            # Two replicas never wait for one another, and never take the same row.
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        taken = (
            update(Delivery)
            .where(Delivery.id == due)
            .values(lease=uuid.uuid4(), next_attempt_at=now + self._lease, attempts=Delivery.attempts + 1)
            .returning(Delivery)
            .execution_options(synchronize_session=False)
        )
        delivery = await session.scalar(taken)
        if delivery is None:
            return None
        channel = await session.get_one(Channel, delivery.channel_id)
        assert delivery.lease is not None
        return Claimed(
            id=delivery.id,
            lease=delivery.lease,
            attempt=delivery.attempts,
            channel_id=channel.id,
            kind=channel.kind,
            address=channel.address,
            secret=channel.secret,
            owner=delivery.owner,
            event_id=delivery.event_id,
            event=delivery.event,
            task_id=delivery.task_id,
            body=delivery.body,
            traceparent=delivery.traceparent,
            occurred_at=delivery.occurred_at,
            last_error=delivery.last_error,
        )

    async def _settle(self, session: AsyncSession, claimed: Claimed, values: dict[str, Any]) -> bool:
        held = (Delivery.id == claimed.id, Delivery.lease == claimed.lease)
        result = await session.execute(update(Delivery).where(*held).values(lease=None, **values))
        assert isinstance(result, CursorResult)
        return result.rowcount == 1

    async def _add_dead_letter(self, session: AsyncSession, claimed: Claimed, reason: str) -> None:
        kind = DELIVERABLE[claimed.event]
        letter = DeadLetter(
            consumer=self._service,
            topic=kind.topic,
            reason=f"delivery {claimed.id} on {claimed.kind} channel {claimed.channel_id}: {reason}"[:1000],
            attempts=claimed.attempt,
            event_id=claimed.event_id,
            event_type=kind.type,
            event=claimed.body[:_KEPT_TEXT],
        )
        event = new_event(DEAD_LETTER, letter, source=self._service, subject=claimed.event_id, key=self._service)
        await self._outbox.add(session, DEAD_LETTER, event)


def _cut(reason: str) -> str:
    return reason[:LONGEST_ERROR]

"""The tables; a change here needs a migration beside it (a test compares the two)."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, Uuid, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from servicekit.tables import UtcDateTime, event_tables, new_metadata

LONGEST_ADDRESS = 2000
LONGEST_ERROR = 500


class ChannelKind(enum.StrEnum):
    """How a channel delivers."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class DeliveryState(enum.StrEnum):
    """Pending until delivered or, after the last attempt, dead."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


_PENDING = text("state = 'pending'")
_LEASED = text("lease IS NOT NULL")


class Base(DeclarativeBase):
    """All tables of notification."""

    metadata = new_metadata()


event_tables(Base.metadata)


class Channel(Base):
    """Where one user wants to be told of which events (names such as `reminder.due`).

    `address` is a URL or an e-mail address. `secret` is stored as the user gave it: signing needs it in clear.
    """

    __tablename__ = "channels"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(LONGEST_ADDRESS))
    secret: Mapped[str | None] = mapped_column(String(128))
    events: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint("kind IN ('webhook', 'email')", name="kind_known"),
        Index(None, "owner", "created_at", "id"),
    )


class Delivery(Base):
    """One event for one channel.

    While it is being sent `lease` names the attempt, and `next_attempt_at` lies where the lease ends: what a killed
    replica left becomes due by itself, as if it had failed.
    """

    __tablename__ = "deliveries"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    channel_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("channels.id", ondelete="CASCADE"))
    owner: Mapped[str] = mapped_column(String(64))
    event_id: Mapped[str] = mapped_column(String(128))
    event: Mapped[str] = mapped_column(String(64))
    task_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    body: Mapped[str] = mapped_column(Text)
    traceparent: Mapped[str] = mapped_column(String(55))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column()
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    last_error: Mapped[str] = mapped_column(String(LONGEST_ERROR))
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("event_id", "channel_id"),
        CheckConstraint("state IN ('pending', 'delivered', 'dead')", name="state_known"),
        # What the worker looks for; what is done, which is nearly everything, is not in it.
        Index(None, "next_attempt_at", "id", postgresql_where=_PENDING, sqlite_where=_PENDING),
        # Whose are being sent at this moment: few rows, asked for at each claim.
        Index(None, "owner", postgresql_where=_LEASED, sqlite_where=_LEASED),
        Index(None, "owner", "created_at", "id"),
        Index(None, "channel_id"),
        Index(None, "created_at"),
    )

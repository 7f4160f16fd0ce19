"""The tables; a change here needs a migration beside it (a test compares the two)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from servicekit.tables import UtcDateTime, event_tables, new_metadata


class Base(DeclarativeBase):
    """All tables of sync."""

    metadata = new_metadata()


class Stream(Base):
    """One owner's numbering. The row is locked while a change is numbered, and never deleted: numbers never recur."""

    __tablename__ = "streams"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_sequence: Mapped[int] = mapped_column(BigInteger)


class Change(Base):
    """One change of one task, as its owner's clients see it; `task` is null once it is deleted.

    `time` is when it happened (the event's own), `recorded_at` when it got its number, which retention goes by.
    """

    __tablename__ = "changes"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[str] = mapped_column(String(128))
    type: Mapped[str] = mapped_column(String(64))
    task_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    version: Mapped[int] = mapped_column(Integer)
    task: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    time: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    traceparent: Mapped[str] = mapped_column(String(55))

    __table_args__ = (Index(None, "owner", "task_id", "sequence"), Index(None, "recorded_at"))


TABLES = event_tables(Base.metadata)

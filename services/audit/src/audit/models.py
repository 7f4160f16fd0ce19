"""The tables; a change here needs a migration beside it (a test compares the two)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from servicekit.tables import UtcDateTime, event_tables, new_metadata


class Base(DeclarativeBase):
    """All tables of audit."""

    metadata = new_metadata()


class Entry(Base):
    """One event as it was written down; triggers refuse to change or to remove it.

    `owner` is whose task it is about, empty where it is about none; `before` and `after` are the task's, `data` is
    the event's whole data where it is no change of a task, else what a newer version of the event says besides.
    """

    __tablename__ = "entries"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[str] = mapped_column(String(128), unique=True)
    type: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(200))
    owner: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(64))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    trace_id: Mapped[str] = mapped_column(String(32))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        Index(None, "owner", "sequence"),
        Index(None, "subject", "sequence"),
        Index(None, "trace_id", "sequence"),
    )


class Head(Base):
    """The chain's last entry: one row, locked while an entry is appended, so that the chain never forks."""

    __tablename__ = "head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))


TABLES = event_tables(Base.metadata)

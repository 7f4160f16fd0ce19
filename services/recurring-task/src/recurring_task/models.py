"""The tables; a change here needs a migration beside it (a test compares the two)."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, String, Text, Uuid, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from servicekit.tables import UtcDateTime, event_tables, new_metadata


class Base(DeclarativeBase):
    """All tables of the service."""

    metadata = new_metadata()


class Occurrence(Base):
    """An occurrence that was published: a series gets each number once, however often its task is completed."""

    __tablename__ = "occurrences"

    series_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    occurrence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    previous_task_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TrackedTask(Base):
    """What the newest event said of a task, and its version: an older event that comes later changes nothing.

    Rows outlive their reminders until no older event can come any more.
    """

    __tablename__ = "tasks"

    task_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column()
    deleted: Mapped[bool] = mapped_column()
    traceparent: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


PENDING = text("done_at IS NULL")


class Reminder(Base):
    """One reminder of a task; `done_at` says when it was published or dropped, null while it is pending.

    The id follows from task and moment, so that the same reminder, told again, is known as done.
    """

    __tablename__ = "reminders"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    task_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("tasks.task_id", ondelete="CASCADE"), index=True)
    owner: Mapped[str] = mapped_column(String(64))
    remind_at: Mapped[datetime] = mapped_column(UtcDateTime)
    minutes_before: Mapped[int] = mapped_column()
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def due_at(self) -> datetime:
        """When the task is due."""
        return self.remind_at + timedelta(minutes=self.minutes_before)

    __table_args__ = (
        # The scheduler and the list ask for pending ones only, which are few among all that ever were.
        Index(None, "remind_at", postgresql_where=PENDING, sqlite_where=PENDING),
        Index(None, "owner", "remind_at", "id", postgresql_where=PENDING, sqlite_where=PENDING),
    )


event_tables(Base.metadata)

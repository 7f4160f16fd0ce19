"""The tables; a change here needs a migration beside it (a test compares the two)."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Dialect,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from servicekit.tables import UtcDateTime, event_tables, new_metadata


class Priority(enum.StrEnum):
    """How urgent a task is, least first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def rank(self) -> int:
        """The number that is stored: it sorts by urgency, which the names do not."""
        return list(Priority).index(self)


class PriorityRank(TypeDecorator[Priority]):
    """Stores a priority as its rank."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Priority | None, dialect: Dialect) -> Any:
        """Priority → number."""
        return None if value is None else value.rank

    def process_result_value(self, value: Any, dialect: Dialect) -> Priority | None:
        """Number → priority."""
        return None if value is None else list(Priority)[value]


class Minutes(TypeDecorator[list[int]]):
    """Stores a short list of numbers as text, alike on every database."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: list[int] | None, dialect: Dialect) -> Any:
        """Numbers → text."""
        return None if value is None else ",".join(str(number) for number in value)

    def process_result_value(self, value: Any, dialect: Dialect) -> list[int]:
        """Text → numbers."""
        return [int(number) for number in value.split(",") if number]


class Base(DeclarativeBase):
    """All tables of the backend, those of its events included."""

    metadata = new_metadata()


event_tables(Base.metadata)


class Task(Base):
    """One user's task; `version` grows with every change and is the ETag.

    A task with a recurrence is one occurrence of a series: the first has number 1 and is due at `series_start`.
    """

    __tablename__ = "tasks"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    owner: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    priority: Mapped[Priority] = mapped_column(PriorityRank)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    recurrence: Mapped[str | None] = mapped_column(String(500))
    timezone: Mapped[str | None] = mapped_column(String(64))
    reminders: Mapped[list[int]] = mapped_column(Minutes, server_default="")
    series_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    series_start: Mapped[datetime | None] = mapped_column(UtcDateTime)
    occurrence: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column()
    labels: Mapped[list[TaskTag]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, lazy="selectin", order_by="TaskTag.tag"
    )

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own way to say it
    __table_args__ = (
        CheckConstraint("priority BETWEEN 0 AND 3", name="priority_known"),
        # Every query is one user's; id makes the pages' order total.
        Index(None, "owner", "created_at", "id"),
        Index(None, "owner", "due_at", "id"),
        # An occurrence is made once, whatever is delivered twice; tasks without a series do not meet here.
        Index(None, "series_id", "occurrence", unique=True),
    )

    @property
    def completed(self) -> bool:
        """Whether it is done."""
        return self.completed_at is not None

    @property
    def tags(self) -> list[str]:
        """The tags in order."""
        return sorted(label.tag for label in self.labels)


class TaskTag(Base):
    """One tag of one task: a table of its own, which filters alike on PostgreSQL and SQLite."""

    __tablename__ = "task_tags"

    task_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(50), primary_key=True, index=True)

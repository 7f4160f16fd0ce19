"""The tables; a change here needs a migration beside it (a test compares the two)."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


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


class UtcDateTime(TypeDecorator[datetime]):
    """Stores an instant as UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware datetime → UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Stored instant → aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables of the backend; constraints get predictable names, which migrations need."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Task(Base):
    """One user's task; `version` grows with every change and is the ETag."""

    __tablename__ = "tasks"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    owner: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    priority: Mapped[Priority] = mapped_column(PriorityRank)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
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

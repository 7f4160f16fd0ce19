"""What the tables of every service have in common: names, instants, and the two tables that events need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

# Constraints get predictable names, which migrations need.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite counts up only a plain INTEGER.
BIG_SERIAL = BigInteger().with_variant(Integer(), "sqlite")


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


def new_metadata() -> MetaData:
    """Return the metadata that a service's models begin with."""
    return MetaData(naming_convention=NAMING)


@dataclass(frozen=True)
class EventTables:
    """The two tables of the outbox and inbox patterns, in the service's own database."""

    outbox: Table
    inbox: Table


def event_tables(metadata: MetaData) -> EventTables:
    """Add the two tables to a service's metadata, or return those that it has.

    `outbox` holds events that are committed and not yet published, in order of `id`; `inbox` the ids of events
    that had their effect.
    """
    if "outbox" in metadata.tables:
        return EventTables(metadata.tables["outbox"], metadata.tables["inbox"])
    outbox = Table(
        "outbox",
        metadata,
        Column("id", BIG_SERIAL, primary_key=True, autoincrement=True),
        Column("topic", String(64), nullable=False),
        Column("key", String(64), nullable=False),
        Column("type", String(64), nullable=False),
        Column("event", Text(), nullable=False),
        Column("created_at", UtcDateTime(), nullable=False),
    )
    inbox = Table(
        "inbox",
        metadata,
        Column("event_id", String(128), primary_key=True),
        Column("received_at", UtcDateTime(), nullable=False),
        Index(None, "received_at"),
    )
    return EventTables(outbox, inbox)

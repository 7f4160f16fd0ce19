"""The outbox and inbox tables for a service's first migration: `create_event_tables(op)`."""

from __future__ import annotations

from types import ModuleType

import sqlalchemy as sa

from servicekit.tables import BIG_SERIAL

_INSTANT = sa.DateTime(timezone=True)


def create_event_tables(op: ModuleType) -> None:
    """Create both tables as they are in `servicekit.tables.event_tables`; call it with alembic's `op` module."""
    op.create_table(
        "outbox",
        sa.Column("id", BIG_SERIAL, autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.String(128), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_inbox")),
    )
    op.create_index(op.f("ix_inbox_received_at"), "inbox", ["received_at"])


def drop_event_tables(op: ModuleType) -> None:
    """Drop both tables, and what is in them."""
    op.drop_table("inbox")
    op.drop_table("outbox")

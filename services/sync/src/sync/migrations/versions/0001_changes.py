"""The owners' streams, their changes, and the tables of events."""

import sqlalchemy as sa
from alembic import op

from servicekit.event_migrations import create_event_tables, drop_event_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "streams",
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_streams")),
    )
    op.create_table(
        "changes",
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(128), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("task", sa.JSON(), nullable=True),
        sa.Column("time", instant, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("traceparent", sa.String(55), nullable=False),
        sa.PrimaryKeyConstraint("owner", "sequence", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_owner_task_id_sequence"), "changes", ["owner", "task_id", "sequence"])
    op.create_index(op.f("ix_changes_recorded_at"), "changes", ["recorded_at"])
    create_event_tables(op)


def downgrade() -> None:
    """Drop all tables, and what is in them."""
    drop_event_tables(op)
    op.drop_table("changes")
    op.drop_table("streams")

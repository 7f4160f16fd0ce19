"""Recurring tasks, reminders, and the tables of events."""

import sqlalchemy as sa
from alembic import op

from servicekit.event_migrations import create_event_tables, drop_event_tables

revision = "0002"
down_revision = "0001"

_COLUMNS = ("recurrence", "timezone", "reminders", "series_id", "series_start", "occurrence")


def upgrade() -> None:
    """Add the columns, whose defaults fit the rows that are there: no recurrence, no reminders."""
    op.add_column("tasks", sa.Column("recurrence", sa.String(500), nullable=True))
    op.add_column("tasks", sa.Column("timezone", sa.String(64), nullable=True))
    op.add_column("tasks", sa.Column("reminders", sa.String(64), nullable=False, server_default=""))
    op.add_column("tasks", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.add_column("tasks", sa.Column("series_start", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tasks", sa.Column("occurrence", sa.Integer(), nullable=False, server_default="1"))
    # An index, because SQLite adds a constraint only to a new table; both refuse the same rows.
    op.create_index(op.f("ix_tasks_series_id_occurrence"), "tasks", ["series_id", "occurrence"], unique=True)
    create_event_tables(op)


def downgrade() -> None:
    """Drop what was added, and what is in it."""
    drop_event_tables(op)
    op.drop_index(op.f("ix_tasks_series_id_occurrence"), "tasks")
    for name in _COLUMNS:
        op.drop_column("tasks", name)

"""Published occurrences, tasks with their reminders, outbox and inbox."""

import sqlalchemy as sa
from alembic import op

from servicekit.event_migrations import create_event_tables, drop_event_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    instant = sa.DateTime(timezone=True)
    pending = sa.text("done_at IS NULL")
    op.create_table(
        "occurrences",
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("previous_task_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", instant, nullable=False),
        sa.Column("published_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("series_id", "occurrence", name=op.f("pk_occurrences")),
    )
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=False),
        sa.Column("seen_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_tasks")),
    )
    op.create_table(
        "reminders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("remind_at", instant, nullable=False),
        sa.Column("minutes_before", sa.Integer(), nullable=False),
        sa.Column("done_at", instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.task_id"], name=op.f("fk_reminders_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
    )
    op.create_index(op.f("ix_reminders_task_id"), "reminders", ["task_id"])
    for columns in (["remind_at"], ["owner", "remind_at", "id"]):
        name = op.f(f"ix_reminders_{'_'.join(columns)}")
        op.create_index(name, "reminders", columns, postgresql_where=pending, sqlite_where=pending)
    create_event_tables(op)


def downgrade() -> None:
    """Drop the tables, and what is in them."""
    drop_event_tables(op)
    for table in ("reminders", "tasks", "occurrences"):
        op.drop_table(table)

"""Channels, deliveries, and the tables that events need."""

import sqlalchemy as sa
from alembic import op

from servicekit.event_migrations import create_event_tables, drop_event_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    instant = sa.DateTime(timezone=True)
    create_event_tables(op)
    op.create_table(
        "channels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("address", sa.String(2000), nullable=False),
        sa.Column("secret", sa.String(128), nullable=True),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.CheckConstraint("kind IN ('webhook', 'email')", name=op.f("ck_channels_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
    op.create_index(op.f("ix_channels_owner_created_at_id"), "channels", ["owner", "created_at", "id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("event_id", sa.String(128), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.String(55), nullable=False),
        sa.Column("occurred_at", instant, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", instant, nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("last_error", sa.String(500), nullable=False),
        sa.Column("delivered_at", instant, nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'dead')", name=op.f("ck_deliveries_state_known")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_deliveries_channel_id_channels"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("event_id", "channel_id", name=op.f("uq_deliveries_event_id_channel_id")),
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        op.f("ix_deliveries_next_attempt_at_id"),
        "deliveries",
        ["next_attempt_at", "id"],
        postgresql_where=pending,
        sqlite_where=pending,
    )
    leased = sa.text("lease IS NOT NULL")
    op.create_index(op.f("ix_deliveries_owner"), "deliveries", ["owner"], postgresql_where=leased, sqlite_where=leased)
    op.create_index(op.f("ix_deliveries_owner_created_at_id"), "deliveries", ["owner", "created_at", "id"])
    op.create_index(op.f("ix_deliveries_channel_id"), "deliveries", ["channel_id"])
    op.create_index(op.f("ix_deliveries_created_at"), "deliveries", ["created_at"])


def downgrade() -> None:
    """Drop all tables, and what is in them."""
    op.drop_table("deliveries")
    op.drop_table("channels")
    drop_event_tables(op)

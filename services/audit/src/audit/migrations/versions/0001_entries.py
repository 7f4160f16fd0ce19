"""The entries, which cannot be changed, the chain's head, and the tables of events."""

import sqlalchemy as sa
from alembic import op

from servicekit.event_migrations import create_event_tables, drop_event_tables

revision = "0001"
down_revision = None

GENESIS = "0" * 64
# A guard against mistakes, and against statements that the service was not meant to run. The service's role owns the
# table, so it could remove the triggers, and a superuser can silence them: the chain is for that, it finds the change.
REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries are append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$
"""
ROWS = "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change()"
ALL = "CREATE TRIGGER never_empty BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
SQLITE = """
CREATE TRIGGER append_only_{0} BEFORE {0} ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only: {0} is refused'); END
"""


def upgrade() -> None:
    """Create all tables, and the triggers that keep the entries."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "entries",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(128), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("occurred_at", instant, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("trace_id", sa.String(32), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_entries")),
        sa.UniqueConstraint("event_id", name=op.f("uq_entries_event_id")),
    )
    for column in ("owner", "subject", "trace_id"):
        op.create_index(op.f(f"ix_entries_{column}_sequence"), "entries", [column, "sequence"])
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head")),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "hash": GENESIS}])
    if op.get_bind().dialect.name == "postgresql":
        for statement in (REFUSE, ROWS, ALL):
            op.execute(statement)
    else:
        for operation in ("UPDATE", "DELETE"):
            op.execute(SQLITE.format(operation))
    create_event_tables(op)


def downgrade() -> None:
    """Drop all tables, and what is in them."""
    drop_event_tables(op)
    op.drop_table("head")
    op.drop_table("entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")

"""The event tables of a migration are those of the models, and go away again."""

from __future__ import annotations

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, inspect

from servicekit.database import create_engine
from servicekit.event_migrations import create_event_tables, drop_event_tables
from servicekit.settings import DatabaseSettings
from servicekit.tables import event_tables, new_metadata
from testkit.example import metadata as example_metadata

pytestmark = pytest.mark.anyio


def migrated(connection: Connection) -> tuple[list[object], list[str]]:
    """Create the tables, compare, drop them; return the differences and what is left."""
    metadata = new_metadata()
    event_tables(metadata)
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    with Operations.context(context):
        create_event_tables(op)  # type: ignore[arg-type]
        differences = list(compare_metadata(context, metadata))
        drop_event_tables(op)  # type: ignore[arg-type]
    return differences, inspect(connection).get_table_names()


async def check(settings: DatabaseSettings) -> None:
    """Check it on one database, which is empty."""
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.connect() as connection:
        await connection.run_sync(example_metadata.drop_all)
        assert await connection.run_sync(migrated) == ([], [])
        await connection.rollback()
    await engine.dispose()


async def test_migrations_and_models_say_the_same(events_settings: DatabaseSettings) -> None:
    await check(events_settings)


def test_asking_twice_gives_the_same_tables() -> None:
    metadata = new_metadata()
    assert event_tables(metadata) == event_tables(metadata)
    assert set(metadata.tables) == {"outbox", "inbox"}

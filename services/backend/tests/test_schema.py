"""What earlier revisions stored stays valid, and what the tables refuse."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, MetaData, Table, insert, select
from sqlalchemy.exc import IntegrityError

from backend.models import Base, Priority, Task
from backend.service import MIGRATIONS
from backend.settings import BackendSettings
from servicekit.database import create_engine
from servicekit.migrate import upgrade
from testkit.postgresql import Postgresql
from testkit.settings import empty_tables

pytestmark = pytest.mark.anyio


NOW = datetime(2026, 11, 25, tzinfo=UTC)
OLD_VALUES: dict[str, Any] = {
    "owner": "ann",
    "description": "",
    "due_at": NOW,
    "priority": Priority.HIGH,
    "completed_at": None,
    "created_at": NOW,
    "updated_at": NOW,
    "version": 1,
}
# The table as it was at the first revision.
OLD = Table(
    "tasks",
    MetaData(),
    *(Column(name, Task.__table__.c[name].type) for name in ("id", "title", *OLD_VALUES)),
)


async def test_rows_of_the_first_revision_stay_valid(tmp_path: Path, settings_of: Any) -> None:
    await check_first_revision(settings_of(database_url=f"sqlite+aiosqlite:///{tmp_path}/tasks.db"))


@pytest.mark.contract
async def test_rows_of_the_first_revision_stay_valid_on_postgresql(postgresql: Postgresql, settings_of: Any) -> None:
    postgresql.create("revisions")
    await check_first_revision(settings_of(**postgresql.address("revisions")))


async def check_first_revision(settings: BackendSettings) -> None:
    """Store tasks at the first revision, go to the newest and back, and look at them each time."""
    engine = create_engine(settings, application="tests", pooled=False)
    rows = [(uuid.uuid4(), title) for title in ("one", "two")]
    async with engine.connect() as connection:
        await connection.run_sync(upgrade, MIGRATIONS, "0001")
        for task_id, title in rows:
            await connection.execute(insert(OLD).values(**OLD_VALUES, id=task_id, title=title))
        await connection.commit()
        await connection.run_sync(upgrade, MIGRATIONS)
        found = (await connection.execute(select(Task.__table__).order_by(Task.title))).all()
        await connection.commit()
        assert [(row.id, row.title) for row in found] == rows
        for row in found:
            assert (row.recurrence, row.timezone, row.reminders, row.occurrence) == (None, None, [], 1)
            assert (row.series_id, row.series_start, row.due_at) == (None, None, OLD_VALUES["due_at"])
        await connection.run_sync(downgrade, "0001")
        kept = (await connection.execute(select(OLD).order_by(OLD.c.title))).all()
        assert [row.title for row in kept] == ["one", "two"]
    await engine.dispose()


def downgrade(connection: Connection, revision: str) -> None:
    """Go back to a revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


async def test_an_occurrence_of_a_series_is_there_once(settings: BackendSettings) -> None:
    await empty_tables(settings, Base.metadata)
    engine = create_engine(settings, application="tests", pooled=False)
    series = uuid.uuid4()

    async def store(series_id: uuid.UUID | None, occurrence: int) -> None:
        values = OLD_VALUES | {"title": "t", "id": uuid.uuid4(), "series_id": series_id, "occurrence": occurrence}
        async with engine.begin() as connection:
            await connection.execute(insert(Task.__table__).values(reminders=[], **values))

    for series_id, occurrence in ((series, 1), (series, 2), (uuid.uuid4(), 1), (None, 1), (None, 1)):
        await store(series_id, occurrence)
    with pytest.raises(IntegrityError):
        await store(series, 2)
    await engine.dispose()

"""Migrations and models say the same, forwards and backwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from audit.models import Base
from audit.service import MIGRATIONS
from audit.settings import AuditSettings
from servicekit.database import create_engine
from servicekit.migrate import migrate, upgrade

pytestmark = pytest.mark.anyio


def differences(connection: Connection) -> list[Any]:
    """Return what the database has and the models lack, and the other way round."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


async def test_the_migrated_schema_is_the_models(settings: AuditSettings) -> None:
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_migrating_twice_changes_nothing(settings: AuditSettings) -> None:
    await migrate(settings, service="audit", scripts=MIGRATIONS)


async def test_the_way_back_leaves_nothing(settings: AuditSettings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{tmp_path}/new.db"})
    engine = create_engine(settings, application="tests", pooled=False)

    def there_and_back(connection: Connection) -> list[str]:
        upgrade(connection, MIGRATIONS)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return list(inspect(connection).get_table_names())

    async with engine.connect() as connection:
        assert await connection.run_sync(there_and_back) == ["alembic_version"]
    await engine.dispose()

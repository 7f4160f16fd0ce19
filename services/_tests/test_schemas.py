"""Migrations and models of every service say the same, forwards and backwards; services are found, none is named."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect

from servicekit.database import create_engine
from servicekit.migrate import migrate, upgrade
from servicekit.settings import DatabaseSettings
from testkit.postgresql import Postgresql
from testkit.services import FOLDERS, Found, find
from testkit.settings import files_of_secrets
from testkit.tokens import Keys

pytestmark = pytest.mark.anyio

WITH_TABLES = [folder for folder in FOLDERS if find(folder).migrations.is_dir()]
Settings = Callable[[Found], DatabaseSettings]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.contract)])
def settings_of(request: pytest.FixtureRequest, tmp_path: Path, keys: Keys) -> Settings:
    """Make a service's settings with a database that is new and empty."""

    def make(found: Found) -> DatabaseSettings:
        values = files_of_secrets(tmp_path, keys)
        if request.param == "sqlite":
            values["database_url"] = f"sqlite+aiosqlite:///{tmp_path}/new.db"
        else:
            server: Postgresql = request.getfixturevalue("postgresql")
            server.create("schema")
            values |= server.address("schema")
        settings: DatabaseSettings = found.settings.model_validate(values)
        return settings

    return make


def test_there_are_services_with_tables() -> None:
    assert WITH_TABLES, "a service's migrations lie in the folder of that name in its package"


@pytest.mark.parametrize("folder", WITH_TABLES)
async def test_the_migrated_schema_is_the_models_however_often_it_is_migrated(
    settings_of: Settings, folder: str
) -> None:
    found = find(folder)
    settings = settings_of(found)
    metadata: MetaData = importlib.import_module(f"{found.module}.models").Base.metadata

    def differences(connection: Connection) -> list[Any]:
        """What the database has and the models lack, and the other way round."""
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    for _ in range(2):
        await migrate(settings, service=found.name, scripts=found.migrations)
        engine = create_engine(settings, application="tests", pooled=False)
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        await engine.dispose()


@pytest.mark.parametrize("folder", WITH_TABLES)
async def test_the_way_back_leaves_nothing(settings_of: Settings, folder: str) -> None:
    found = find(folder)
    engine = create_engine(settings_of(found), application="tests", pooled=False)

    def there_and_back(connection: Connection) -> list[str]:
        upgrade(connection, found.migrations)
        assert len(inspect(connection).get_table_names()) > 1
        config = Config()
        config.set_main_option("script_location", str(found.migrations))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return list(inspect(connection).get_table_names())

    async with engine.connect() as connection:
        assert await connection.run_sync(there_and_back) == ["alembic_version"]
    await engine.dispose()

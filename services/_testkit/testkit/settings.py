"""Settings of a service whose database is SQLite or PostgreSQL, migrated once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

from sqlalchemy import MetaData

from servicekit.database import create_engine
from servicekit.migrate import migrate
from servicekit.settings import DatabaseSettings
from testkit.events import APP_TOKEN
from testkit.tokens import Keys

S = TypeVar("S", bound=DatabaseSettings)


def files_of_secrets(folder: Path, keys: Keys) -> dict[str, object]:
    """Write what the chart mounts and return the settings' values that name it."""
    token = folder / "dapr-token"
    token.write_text(APP_TOKEN + "\n")
    return {"token_keys_file": keys.write(folder / "jwks.json"), "dapr_app_token_file": token}


def migrated(kind: type[S], values: dict[str, object], *, service: str, scripts: Path) -> S:
    """Return settings of the given values, after bringing their database to the newest revision."""
    settings = kind.model_validate(values)
    asyncio.run(migrate(settings, service=service, scripts=scripts))
    return settings


async def empty_tables(settings: DatabaseSettings, metadata: MetaData) -> None:
    """Delete all rows."""
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())
    await engine.dispose()

"""Alembic migrations, one process at a time: replicas that start together wait for the first one's."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from servicekit.database import create_engine, database_url
from servicekit.settings import DatabaseSettings

_RETRY_SECONDS = 0.5
_log = structlog.stdlib.get_logger("servicekit.migrate")


class MigrationError(Exception):
    """Raised when the database could not be reached or locked before the deadline; says the last cause."""


async def migrate(settings: DatabaseSettings, *, service: str, scripts: Path) -> None:
    """Bring the database to the newest revision under `scripts`, waiting for it to come up."""
    engine = create_engine(settings, application=f"{service}-migrate", pooled=False)
    deadline = asyncio.get_running_loop().time() + settings.migration_timeout_seconds
    try:
        await _wait_until_reachable(engine, settings, deadline)
        async with _one_at_a_time(engine, service, deadline), engine.connect() as connection:
            # Alembic begins and commits itself, so that a migration may step out of the transaction.
            await connection.run_sync(upgrade, scripts)
    finally:
        await engine.dispose()
    _log.info("database is at the newest revision")


def upgrade(connection: Connection, scripts: Path, revision: str = "head") -> None:
    """Run the migrations on an open connection; env.py takes it from the config's attributes."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _wait_until_reachable(engine: AsyncEngine, settings: DatabaseSettings, deadline: float) -> None:
    clock = asyncio.get_running_loop().time
    attempts = 0
    while True:
        attempts += 1
        try:
            async with engine.connect():
                return
        except Exception as error:
            # Any cause is worth another try: a fresh database refuses, knows no user, then no database.
            cause = f"{type(error).__name__}: {error}".splitlines()[0]
            if clock() + _RETRY_SECONDS >= deadline:
                raise MigrationError(
                    f"{database_url(settings)} not reachable within {settings.migration_timeout_seconds:g} s"
                    f" ({attempts} attempts); last cause: {cause}"
                ) from error
            if attempts == 1:
                _log.info("waiting for the database", error=cause)
        await asyncio.sleep(_RETRY_SECONDS)


@asynccontextmanager
async def _one_at_a_time(engine: AsyncEngine, service: str, deadline: float) -> AsyncGenerator[None]:
    if engine.dialect.name != "postgresql":
        yield
        return
    # A connection of its own, and a session's lock rather than a transaction's: it outlives every commit
    # inside the migrations and is given back by the server if this process dies.
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await _lock(connection, lock_key(service), deadline)
        try:
            yield
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": lock_key(service)})


async def _lock(connection: AsyncConnection, key: int, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
    except TimeoutError as error:
        raise MigrationError(
            f"another process held the migration lock (advisory lock {key}) until the deadline"
        ) from error


def lock_key(service: str) -> int:
    """Return the service's advisory lock: a signed 64-bit number that is the same in every process."""
    digest = hashlib.sha256(f"sluice-migrate:{service}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)

"""What only a real PostgreSQL shows: locks, a server that goes away, passwords that change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from backend.service import MIGRATIONS, build
from backend.settings import BackendSettings
from servicekit.database import create_engine
from servicekit.migrate import MigrationError, lock_key, migrate
from testkit.events import KeptPublisher
from testkit.postgresql import Postgresql

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

TASKS = "/api/v1/tasks"
DEADLINE_SECONDS = 120

Reach = Callable[..., BackendSettings]


async def execute(settings: BackendSettings, statement: str) -> list[Any]:
    """Run one statement outside of a transaction and return the first column."""
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        result = await connection.execute(text(statement))
        found = list(result.scalars()) if result.returns_rows else []
    await engine.dispose()
    return found


@pytest.fixture
def reach(postgresql: Postgresql, settings_of: Any) -> Reach:
    """Make settings that reach one of the server's databases."""

    def make(database: str = "postgres", **values: object) -> BackendSettings:
        settings: BackendSettings = settings_of(**(postgresql.address(database) | values))
        return settings

    return make


async def new_database(reach: Reach, name: str, **values: object) -> BackendSettings:
    """Create an empty database and return the settings that reach it."""
    await execute(reach(), f"CREATE DATABASE {name}")
    return reach(name, **values)


async def test_replicas_that_start_together_migrate_once(reach: Reach) -> None:
    settings = await new_database(reach, "together")
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(migrate(settings, service="backend", scripts=MIGRATIONS))
    assert await execute(settings, "SELECT version_num FROM alembic_version") == ["0002"]
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    assert await execute(settings, locks) == [0], "the lock was given back"


async def test_a_lock_that_is_never_given_back_is_the_reported_cause(reach: Reach) -> None:
    settings = await new_database(reach, "locked", migration_timeout_seconds=0.6)
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.connect() as holder:
        await holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": lock_key("backend")})
        with pytest.raises(MigrationError, match="another process held the migration lock"):
            await migrate(settings, service="backend", scripts=MIGRATIONS)
    await engine.dispose()
    await migrate(settings, service="backend", scripts=MIGRATIONS)


async def test_migrating_waits_for_a_database_that_comes_late(reach: Reach) -> None:
    settings = reach("late")
    waiting = asyncio.create_task(migrate(settings, service="backend", scripts=MIGRATIONS))
    attempted = "SELECT count(*) FROM pg_stat_database"
    await execute(reach(), attempted)
    assert not waiting.done()
    await new_database(reach, "late")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await waiting
    assert await execute(settings, "SELECT count(*) FROM tasks") == [0]


async def test_a_wrong_password_is_the_reported_cause_without_the_password(reach: Reach, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("not-the-password")
    settings = reach(database_password_file=wrong, migration_timeout_seconds=0.6)
    with pytest.raises(MigrationError, match="password authentication failed") as caught:
        await migrate(settings, service="backend", scripts=MIGRATIONS)
    assert "not-the-password" not in str(caught.value)


async def test_a_restart_is_a_503_and_then_forgotten(postgresql: Postgresql, reach: Reach, client_of: Any) -> None:
    settings = await new_database(reach, "restarted", readiness_timeout_seconds=5)
    await migrate(settings, service="backend", scripts=MIGRATIONS)
    service = build(settings, KeptPublisher())
    async with service.app.router.lifespan_context(service.app), client_of(service) as client:
        path = (await client.post(TASKS, json={"title": "kept", "tags": ["a"]})).headers["location"]
        await asyncio.to_thread(postgresql.stop)
        try:
            away = await client.get(path)
            not_ready = await client.get("/readyz")
        finally:
            await asyncio.to_thread(postgresql.start)
        assert (away.status_code, away.json()["type"]) == (503, "urn:sluice:problem:database-unavailable")
        assert away.headers["retry-after"]
        assert not_ready.status_code == 503
        assert set(not_ready.json()["checks"]) == {"database"}
        assert not_ready.json()["checks"]["database"] != "ok"
        assert (await client.get(path)).json()["title"] == "kept"
        assert (await client.get("/readyz")).status_code == 200
        await asyncio.to_thread(postgresql.stop)
        await asyncio.to_thread(postgresql.start)
        assert (await client.get(path)).status_code == 200, "a restart between two requests goes unnoticed"


async def test_stopping_closes_the_pool(reach: Reach, client_of: Any) -> None:
    settings = await new_database(reach, "stopped")
    await migrate(settings, service="backend", scripts=MIGRATIONS)
    service = build(settings, KeptPublisher())
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'stopped' AND application_name = 'backend'"
    async with service.app.router.lifespan_context(service.app), client_of(service) as client:
        assert (await client.get(TASKS)).status_code == 200
        assert (await execute(reach(), sessions))[0] >= 1, "the request's, and what the outbox's relay holds"
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await execute(reach(), sessions) != [0]:
            pass  # the server ends a session a moment after its connection


async def test_a_rotated_password_serves_the_next_connection(reach: Reach, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("one")
    await execute(reach(), "CREATE ROLE rotated LOGIN PASSWORD 'one'")
    settings = reach(database_user="rotated", database_password_file=secret)
    engine = create_engine(settings, application="tests", pooled=False)

    async def whoami() -> str:
        async with engine.connect() as connection:
            return str((await connection.execute(text("SELECT current_user"))).scalar_one())

    assert await whoami() == "rotated"
    await execute(reach(), "ALTER ROLE rotated PASSWORD 'two'")
    secret.write_text("two")
    assert await whoami() == "rotated"
    await engine.dispose()


async def test_statements_that_take_too_long_are_a_503(reach: Reach, client_of: Any) -> None:
    settings = await new_database(reach, "slow", database_statement_timeout_seconds=0.3)
    await migrate(settings, service="backend", scripts=MIGRATIONS)
    service = build(settings, KeptPublisher())
    blocker = create_engine(settings, application="tests", pooled=False)
    async with service.app.router.lifespan_context(service.app), client_of(service) as client:
        async with blocker.begin() as connection:
            await connection.execute(text("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE"))
            assert (await client.get(TASKS)).status_code == 503
        assert (await client.get(TASKS)).status_code == 200
    await blocker.dispose()

"""Audit on a migrated database: SQLite and, where installed, PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.chain import GENESIS
from audit.service import MIGRATIONS, build
from audit.settings import AuditSettings
from servicekit.database import create_engine
from testkit.events import KeptPublisher, deliver
from testkit.postgresql import Postgresql
from testkit.settings import files_of_secrets, migrated
from testkit.tokens import Keys

AUDIT = "/api/v1/audit"


@dataclass(frozen=True)
class Bench:
    """A running service, what it publishes, its database as a superuser sees it, and users' tokens."""

    client: httpx.AsyncClient
    publisher: KeptPublisher
    engine: AsyncEngine
    keys: Keys
    settings: AuditSettings

    async def deliver(self, topic: str, *events: dict[str, Any]) -> list[str]:
        """Deliver events, one after the other, and return the answers."""
        return [await deliver(self.client, topic, event) for event in events]

    async def entries(self, user: str = "ann", *roles: str, **query: object) -> list[dict[str, Any]]:
        """Return what a user sees, newest first."""
        response = await self.get(user, *roles, **query)
        assert response.status_code == 200, response.text
        return list(response.json()["items"])

    async def get(self, user: str, *roles: str, path: str = AUDIT, **query: object) -> httpx.Response:
        """Ask as a user."""
        params = {name: str(value) for name, value in query.items()}
        return await self.client.get(path, params=params, headers=self.keys.headers(user, *roles))

    async def verify(self, **query: object) -> dict[str, Any]:
        """Check the chain as an auditor."""
        response = await self.get("eve", "auditor", path=f"{AUDIT}/verify", **query)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def tamper(self, *statements: str) -> None:
        """Change the database behind the service's back, triggers silenced, as who owns it can."""
        async with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                await connection.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                for operation in ("UPDATE", "DELETE"):
                    await connection.execute(text(f"DROP TRIGGER IF EXISTS append_only_{operation}"))
            for statement in statements:
                await connection.execute(text(statement))


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.contract)])
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> AuditSettings:
    """Settings of a service with a migrated database: on SQLite, then on PostgreSQL."""
    folder = tmp_path_factory.mktemp("audit")
    values = files_of_secrets(folder, keys)
    if request.param == "sqlite":
        values["database_url"] = f"sqlite+aiosqlite:///{folder}/audit.db"
    else:
        postgresql: Postgresql = request.getfixturevalue("postgresql")
        postgresql.create("audit")
        values |= postgresql.address("audit")
    return migrated(AuditSettings, values, service="audit", scripts=MIGRATIONS)


@asynccontextmanager
async def run_service(settings: AuditSettings, keys: Keys) -> AsyncIterator[Bench]:
    """Run a service on the settings' database."""
    publisher = KeptPublisher()
    service = build(settings, publisher)
    engine = create_engine(settings, application="tests", pooled=False)
    transport = httpx.ASGITransport(service.app)
    async with (
        service.app.router.lifespan_context(service.app),
        httpx.AsyncClient(transport=transport, base_url="http://audit", trust_env=False) as client,
    ):
        yield Bench(client, publisher, engine, keys, settings)
    await engine.dispose()


@pytest.fixture
async def empty(settings: AuditSettings, tmp_path: Path) -> AuditSettings:
    """Settings whose chain is empty: a file of the test's own, or the server's database made empty."""
    if settings.database_url:
        path = shutil.copy(settings.database_url.partition("///")[2], tmp_path)
        return settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{path}"})
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.begin() as connection:
        for statement in (
            "SET LOCAL session_replication_role = replica",
            "TRUNCATE entries, inbox, outbox",
            f"UPDATE head SET sequence = 0, hash = '{GENESIS}'",
        ):
            await connection.execute(text(statement))
    await engine.dispose()
    return settings


@pytest.fixture
async def bench(empty: AuditSettings, keys: Keys) -> AsyncIterator[Bench]:
    """A running service with an empty chain."""
    async with run_service(empty, keys) as found:
        yield found


@pytest.fixture
def running() -> Callable[..., AbstractAsyncContextManager[Bench]]:
    """Run one more service, as another replica is."""
    return run_service

"""The backend on a migrated database: every API test runs on SQLite and, where installed, on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.models import Base
from backend.service import MIGRATIONS, build
from backend.settings import BackendSettings
from servicekit.app import Service
from testkit.events import KeptPublisher
from testkit.settings import empty_tables, files_of_secrets, migrated
from testkit.tokens import Keys

Settings = Callable[..., BackendSettings]


@pytest.fixture(scope="session")
def secrets(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the chart mounts, as settings' values."""
    return files_of_secrets(tmp_path_factory.mktemp("secrets"), keys)


@pytest.fixture(scope="session")
def settings_of(secrets: dict[str, object]) -> Settings:
    """Make settings of an address (`database_url`, or the pieces) and whatever else differs."""

    def make(**values: object) -> BackendSettings:
        return BackendSettings.model_validate({"faults_enabled": True} | secrets | values)

    return make


@pytest.fixture(scope="session")
def migrated_sqlite(settings_of: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "tasks.db"
    values = settings_of(database_url=f"sqlite+aiosqlite:///{path}").model_dump()
    migrated(BackendSettings, values, service="backend", scripts=MIGRATIONS)
    return path


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.contract)])
def settings(
    request: pytest.FixtureRequest, settings_of: Settings, tmp_path_factory: pytest.TempPathFactory
) -> BackendSettings:
    """Settings of a backend with a migrated database: on SQLite, then on PostgreSQL."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path_factory.mktemp("shared"))
        return settings_of(database_url=f"sqlite+aiosqlite:///{path}")
    server = request.getfixturevalue("postgresql")
    values = settings_of(**server.address()).model_dump()
    return migrated(BackendSettings, values, service="backend", scripts=MIGRATIONS)


@pytest.fixture(scope="session")
async def shared_service(settings: BackendSettings, shared_publisher: KeptPublisher) -> AsyncIterator[Service]:
    """A backend that all tests of one database share: building one takes longer than most tests."""
    service = build(settings, shared_publisher)
    async with service.app.router.lifespan_context(service.app):
        yield service


@pytest.fixture(scope="session")
def shared_publisher() -> KeptPublisher:
    """What the shared backend publishes to."""
    return KeptPublisher()


@pytest.fixture
def publisher(shared_publisher: KeptPublisher) -> KeptPublisher:
    """The same, with nothing in it yet."""
    shared_publisher.published.clear()
    shared_publisher.broken = False
    return shared_publisher


@pytest.fixture
def client_of(keys: Keys) -> Callable[[Service], httpx.AsyncClient]:
    """Make a client of a service in this process, which is the user ann unless a request says otherwise."""

    def make(service: Service) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(service.app)
        return httpx.AsyncClient(
            transport=transport, base_url="http://backend", headers=keys.headers("ann"), trust_env=False
        )

    return make


@pytest.fixture
async def client(
    shared_service: Service, settings: BackendSettings, publisher: KeptPublisher, client_of: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is the user ann, and has no tasks yet."""
    await empty_tables(settings, Base.metadata)
    async with client_of(shared_service) as client:
        yield client


@pytest.fixture
async def fresh_client(settings: BackendSettings, client_of: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The same with a backend of its own, whose counters are at zero."""
    await empty_tables(settings, Base.metadata)
    service = build(settings, KeptPublisher())
    async with service.app.router.lifespan_context(service.app), client_of(service) as client:
        yield client


@pytest.fixture
def bob(keys: Keys) -> dict[str, str]:
    """The headers of another user."""
    return keys.headers("bob")

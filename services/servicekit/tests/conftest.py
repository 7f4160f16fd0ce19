"""A small app built by servicekit, and what its tests look at."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import structlog
from fastapi import APIRouter
from pydantic import BaseModel, Field

from servicekit.app import Service, create_app
from servicekit.identity import CurrentUser
from servicekit.metrics import Metrics
from servicekit.problems import Problem
from servicekit.settings import ServiceSettings, TokenSettings
from testkit.events import KeptPublisher
from testkit.example import ExampleSettings as EventsSettings
from testkit.example import create_tables
from testkit.postgresql import Postgresql
from testkit.settings import files_of_secrets
from testkit.tokens import Keys


class ExampleSettings(ServiceSettings, TokenSettings):
    """As a service with users has them."""

    service_name: str = "example"


class Thing(BaseModel):
    """A body with a nested bound."""

    name: str = Field(max_length=3)
    sizes: list[int] = []


class BrokenError(Exception):
    """What a route raises that nobody catches."""


def example_router() -> APIRouter:
    """Routes that show each behaviour once."""
    router = APIRouter(prefix="/things")

    @router.get("/{thing_id}")
    async def read(thing_id: str) -> dict[str, str]:
        return {"id": thing_id}

    @router.post("")
    async def create(thing: Thing) -> Thing:
        return thing

    @router.get("")
    async def mine(user: CurrentUser) -> dict[str, str]:
        structlog.stdlib.get_logger("example").info("listing", password="hunter2")
        return {"user": user}

    @router.delete("/{thing_id}")
    async def delete(thing_id: str) -> None:
        raise Problem(409, f"{thing_id} is in use", kind="conflict", holders=2)

    @router.put("/{thing_id}")
    async def replace(thing_id: str) -> None:
        raise BrokenError(f"marker-{thing_id}")

    return router


@pytest.fixture
def key_file(keys: Keys, tmp_path: Path) -> Path:
    """The key set that the example service believes."""
    return keys.write(tmp_path / "jwks.json")


@pytest.fixture
def service(key_file: Path) -> Service:
    """The example service."""
    settings = ExampleSettings(token_keys_file=key_file, max_body_bytes=100)
    nested = APIRouter()
    nested.include_router(example_router(), prefix="/nested")
    return create_app(settings, metrics=Metrics(), routers=[example_router(), nested])


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the example service."""
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://example", trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def event_database(postgresql: Postgresql) -> Postgresql:
    """The server, with a database for the tests of events."""
    postgresql.create("events")
    return postgresql


@pytest.fixture
def events_on(keys: Keys, tmp_path: Path) -> Callable[..., EventsSettings]:
    """Make settings of a service with events on a database's address."""
    secrets = files_of_secrets(tmp_path, keys)
    return lambda **values: EventsSettings.model_validate(secrets | values)


@pytest.fixture
async def on_postgresql(event_database: Postgresql, events_on: Callable[..., EventsSettings]) -> EventsSettings:
    """Settings of a service with events, with empty tables on PostgreSQL."""
    settings = events_on(**event_database.address("events"))
    await create_tables(settings)
    return settings


@pytest.fixture
async def on_sqlite(tmp_path: Path, events_on: Callable[..., EventsSettings]) -> EventsSettings:
    """The same on SQLite."""
    settings = events_on(database_url=f"sqlite+aiosqlite:///{tmp_path}/events.db")
    await create_tables(settings)
    return settings


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.contract)])
def events_settings(request: pytest.FixtureRequest) -> EventsSettings:
    """The same on each of the two."""
    settings: EventsSettings = request.getfixturevalue(f"on_{request.param}")
    return settings


@pytest.fixture
def publisher() -> KeptPublisher:
    """A broker that keeps what it gets."""
    return KeptPublisher()


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

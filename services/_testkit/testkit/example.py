"""A small service of the tests' own: an outbox, an inbox, and a table in which handlers leave their effects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Column, Integer, String, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.app import create_app
from servicekit.dapr import Publisher
from servicekit.database import Database, create_engine
from servicekit.events import Event, EventType
from servicekit.messaging import create_messaging
from servicekit.metrics import Metrics
from servicekit.settings import DatabaseSettings, EventSettings, ServiceSettings, TokenSettings
from servicekit.tables import event_tables, new_metadata

Handler = Callable[[AsyncSession, Event[Any]], Awaitable[None]]

metadata = new_metadata()
effects = Table(
    "effects",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("event_id", String(128), nullable=False),
)
tables = event_tables(metadata)


class ExampleSettings(ServiceSettings, DatabaseSettings, TokenSettings, EventSettings):
    """As a service with users, a database and events has them."""

    service_name: str = "example"


async def note(session: AsyncSession, event: Event[Any]) -> None:
    """Handle an event: leave one effect."""
    await session.execute(insert(effects).values(event_id=event.id))


class Example:
    """One replica."""

    def __init__(
        self,
        settings: ExampleSettings,
        publisher: Publisher,
        handlers: Mapping[EventType[Any], Handler] | None = None,
    ) -> None:
        metrics = Metrics()
        self.registry = metrics.registry
        self.database = Database(create_engine(settings, application="example"), metrics)
        self.messaging = create_messaging(
            settings,
            service="example",
            database=self.database,
            metadata=metadata,
            registry=metrics.registry,
            publisher=publisher,
        )
        self.outbox = self.messaging.outbox
        for kind, handler in (handlers or {}).items():
            self.messaging.subscriptions.on(kind, handler)
        self.service = create_app(
            settings, metrics=metrics, routers=[], database=self.database, messaging=self.messaging
        )

    def client(self) -> httpx.AsyncClient:
        """Return a client of it; nothing runs in the background."""
        transport = httpx.ASGITransport(self.service.app)
        return httpx.AsyncClient(transport=transport, base_url="http://example", trust_env=False)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[httpx.AsyncClient]:
        """Run it, its relay included, and give a client of it."""
        async with self.service.app.router.lifespan_context(self.service.app), self.client() as client:
            yield client

    async def effects(self) -> list[str]:
        """Return the ids of the events that had an effect, in order, as often as they had one."""
        async with self.database.transaction() as session:
            return list((await session.scalars(select(effects.c.event_id).order_by(effects.c.id))).all())

    async def pending(self) -> int:
        """Return how many events wait in the outbox."""
        async with self.database.transaction() as session:
            return len((await session.execute(select(tables.outbox.c.id))).all())


async def create_tables(settings: DatabaseSettings) -> None:
    """Create the tables that are missing, and empty them."""
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        for table in metadata.sorted_tables:
            await connection.execute(table.delete())
    await engine.dispose()


async def samples(client: httpx.AsyncClient) -> dict[str, float]:
    """Scrape, and return values by `name{label=value,…}`."""
    found = {}
    for family in text_string_to_metric_families((await client.get("/metrics")).text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found

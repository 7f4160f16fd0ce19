"""recurring-task on a migrated database: SQLite and, where installed, PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from recurring_task.metrics import RecurringTaskMetrics
from recurring_task.models import Base
from recurring_task.scheduler import Scheduler
from recurring_task.service import MIGRATIONS, build
from recurring_task.settings import RecurringTaskSettings
from servicekit.database import Database, create_engine
from servicekit.event_metrics import EventMetrics
from servicekit.events import EventType
from servicekit.metrics import Metrics
from servicekit.outbox import Outbox
from servicekit.tables import event_tables
from testkit.events import KeptPublisher, deliver
from testkit.postgresql import Postgresql
from testkit.settings import empty_tables, files_of_secrets, migrated
from testkit.tokens import Keys

DEADLINE_SECONDS = 60


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.contract)])
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, keys: Keys
) -> RecurringTaskSettings:
    """Settings of a service with a migrated database: on SQLite, then on PostgreSQL."""
    folder = tmp_path_factory.mktemp("recurring-task")
    values = files_of_secrets(folder, keys)
    if request.param == "sqlite":
        values["database_url"] = f"sqlite+aiosqlite:///{folder}/recurring.db"
    else:
        postgresql: Postgresql = request.getfixturevalue("postgresql")
        postgresql.create("recurring_task")
        values |= postgresql.address("recurring_task")
    return migrated(RecurringTaskSettings, values, service="recurring-task", scripts=MIGRATIONS)


@dataclass(frozen=True)
class Bench:
    """A running service whose broker is away: what it would publish stays in the outbox, to be looked at."""

    client: httpx.AsyncClient
    publisher: KeptPublisher
    engine: AsyncEngine

    async def deliver(self, *events: dict[str, Any]) -> None:
        """Deliver task events, one after the other; each has to be taken."""
        for event in events:
            assert await deliver(self.client, "tasks", event) == "SUCCESS"

    async def rows(self, table: str) -> list[Any]:
        """Return all rows of a table."""
        async with self.engine.connect() as connection:
            return list((await connection.execute(select(Base.metadata.tables[table]))).all())

    async def outbox(self, kind: EventType[Any]) -> list[dict[str, Any]]:
        """Return the events of a type that wait for the broker, as JSON."""
        return [json.loads(row.event) for row in await self.rows("outbox") if row.type == kind.type]

    async def samples(self) -> dict[str, float]:
        """Scrape and return values by `name{label=value,…}`."""
        families = text_string_to_metric_families((await self.client.get("/metrics")).text)
        found = {}
        for sample in (sample for family in families for sample in family.samples):
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
        return found


@asynccontextmanager
async def run_service(settings: RecurringTaskSettings, *, broken: bool) -> AsyncIterator[Bench]:
    """Run a service on the settings' database; `broken` keeps the broker away."""
    publisher = KeptPublisher()
    publisher.broken = broken
    service = build(settings, publisher)
    engine = create_engine(settings, application="tests", pooled=False)
    async with (
        service.app.router.lifespan_context(service.app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(service.app), base_url="http://recurring-task", trust_env=False
        ) as client,
    ):
        yield Bench(client, publisher, engine)
    await engine.dispose()


@pytest.fixture
async def empty(settings: RecurringTaskSettings, tmp_path: Path) -> RecurringTaskSettings:
    """Settings whose database has no rows: a file of the test's own, or the server's database made empty."""
    if settings.database_url:
        path = shutil.copy(settings.database_url.partition("///")[2], tmp_path)
        return settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{path}"})
    await empty_tables(settings, Base.metadata)
    return settings


@pytest.fixture
async def bench(empty: RecurringTaskSettings) -> AsyncIterator[Bench]:
    """A running service with empty tables, whose broker is away."""
    async with run_service(empty, broken=True) as found:
        yield found


@pytest.fixture
async def live(empty: RecurringTaskSettings) -> AsyncIterator[Bench]:
    """The same with a broker that takes everything, and a scheduler that looks often."""
    async with run_service(empty.model_copy(update={"scheduler_pause_seconds": 0.1}), broken=False) as found:
        yield found


@pytest.fixture
def running() -> Callable[..., AbstractAsyncContextManager[Bench]]:
    """Run a service of the test's own settings."""
    return run_service


@pytest.fixture
async def scheduler(empty: RecurringTaskSettings) -> AsyncIterator[Callable[..., Scheduler]]:
    """Make schedulers, each with its own connections as another replica has; the test calls them itself."""
    databases: list[Database] = []

    def make(kind: type[Outbox] = Outbox) -> Scheduler:
        metrics = Metrics()
        databases.append(Database(create_engine(empty, application="tests"), metrics))
        tables, counted = event_tables(Base.metadata), EventMetrics(metrics.registry)
        outbox = kind(databases[-1], tables, KeptPublisher(), counted, "recurring-task")
        return Scheduler(databases[-1], outbox, RecurringTaskMetrics(metrics.registry), empty)

    yield make
    for database in databases:
        await database.close()


@pytest.fixture
def until() -> Callable[[Callable[[], Awaitable[object]], str], Awaitable[None]]:
    """Poll until an awaited condition holds; fail at the deadline, naming what was awaited."""

    async def poll(condition: Callable[[], Awaitable[object]], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        while not await condition():
            assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {DEADLINE_SECONDS} s"
            await asyncio.sleep(0.02)

    return poll

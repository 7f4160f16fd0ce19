"""Replicas of sync as they run in the cluster (uvicorn on loopback), on SQLite and, where installed, on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from servicekit.app import Service
from servicekit.database import Database, create_engine
from servicekit.events import TASK_CREATED, TASK_UPDATED, parse_event
from servicekit.metrics import Metrics
from servicekit.server import DrainingServer, configuration
from sync.models import Base
from sync.service import MIGRATIONS, build
from sync.settings import SyncSettings
from sync.store import record
from testkit.events import KeptPublisher, changed, deliver, snapshot
from testkit.settings import empty_tables, files_of_secrets, migrated
from testkit.tokens import Keys

DEADLINE_SECONDS = 60.0
ON_LOOPBACK = {"proxy": None, "compression": None, "ping_interval": None, "open_timeout": DEADLINE_SECONDS}
# The sidecar delivers one event of each partition of the topic at a time.
PARTITIONS = 3


class LoopbackServer(DrainingServer):
    """The server that services run, without handlers for the signals of the tests' own process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


@dataclass
class Client:
    """A user's WebSocket."""

    connection: ClientConnection
    hello: dict[str, Any]

    async def message(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def changes(self, number: int) -> list[dict[str, Any]]:
        """Return the next so many changes."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < number:
                message = await self.message()
                if message["type"] == "change":
                    found.append(message)
        return found

    async def close_code(self) -> int:
        """Read to the end, and return why the server closed."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    await self.connection.recv()
        code = self.connection.close_code
        assert code is not None
        return code


@dataclass
class Replica:
    """A running replica."""

    port: int
    service: Service
    server: LoopbackServer
    http: httpx.AsyncClient
    keys: Keys
    delivering: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARTITIONS))

    def url(self, query: str = "") -> str:
        """Where its WebSocket is."""
        return f"ws://127.0.0.1:{self.port}/api/v1/sync{query}"

    @asynccontextmanager
    async def connected(self, user: str, after: int | None = None, **options: Any) -> AsyncIterator[Client]:
        """Connect as a user, and read the hello."""
        query = "" if after is None else f"?after={after}"
        given = {"additional_headers": self.keys.headers(user), **ON_LOOPBACK, **options}
        async with connect(self.url(query), **given) as connection:
            client = Client(connection, {})
            client.hello = await client.message()
            yield client

    async def refused(self, query: str = "", **options: Any) -> tuple[int, str]:
        """Connect to be refused, and return the close code and the reason."""
        async with (
            connect(self.url(query), **{**ON_LOOPBACK, **options}) as connection,
            asyncio.timeout(DEADLINE_SECONDS),
        ):
            with pytest.raises(ConnectionClosed) as closed:
                await connection.recv()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, closed.value.rcvd.reason

    async def deliver(self, event: Mapping[str, Any]) -> None:
        """Deliver a task event as the sidecar does: again and again, until it is taken."""

        async def taken() -> bool:
            return await deliver(self.http, "tasks", event) == "SUCCESS"

        async with self.delivering:
            await until(taken, "the event is taken")

    async def change(self, user: str, number: int = 1, **values: object) -> list[dict[str, Any]]:
        """Deliver so many changes of one new task, one after another, and return the events."""
        task = snapshot(user, **values)
        events = []
        for version in range(1, number + 1):
            now = task.model_copy(update={"version": version})
            events.append(changed(TASK_CREATED if version == 1 else TASK_UPDATED, now))
            await self.deliver(events[-1])
        return events

    async def samples(self) -> dict[str, float]:
        """Scrape, and return values by `name{label=value,…}`."""
        families = text_string_to_metric_families((await self.http.get("/metrics")).text)
        found = {}
        for sample in (sample for family in families for sample in family.samples):
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    async def until_sample(self, name: str, wanted: Callable[[float], bool]) -> None:
        """Scrape until a sample is as wanted."""
        await until(lambda: self._is(name, wanted), f"{name} on {self.port}")

    async def _is(self, name: str, wanted: Callable[[float], bool]) -> bool:
        return wanted((await self.samples())[name])


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Poll until the condition holds; fail at the deadline, naming what was awaited."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not await condition():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_SECONDS} s"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(settings: SyncSettings, keys: Keys, **of_server: object) -> AsyncIterator[Replica]:
    """Run a replica; `of_server` replaces values of uvicorn's configuration."""
    service = build(settings, KeptPublisher())
    config = configuration(service.app, settings, websockets=True)
    for name, value in of_server.items():
        setattr(config, name, value)
    server = LoopbackServer(config, service.readiness, settings.shutdown_drain_seconds)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve([listening]))
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE_SECONDS
        ) as http:
            replica = Replica(port, service, server, http, keys)

            async def started() -> bool:
                if serving.done():
                    serving.result()
                return server.started

            try:
                await until(started, "the replica serves")
                if settings.database_host:
                    await replica.until_sample("websocket_listener_connected", lambda value: value == 1)
                yield replica
            finally:
                server.should_exit = True
                await serving


@pytest.fixture(scope="session")
def numbered() -> Callable[[SyncSettings, str, int], Awaitable[None]]:
    """Number changes of new tasks without announcing them: what was there before, or came while nobody listened."""

    async def number(settings: SyncSettings, owner: str, changes: int) -> None:
        database = Database(create_engine(settings, application="tests", pooled=False), Metrics())
        async with database.transaction() as session:
            for _ in range(changes):
                await record(session, parse_event(json.dumps(changed(TASK_CREATED, snapshot(owner)))))
        await database.close()

    return number


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> dict[str, object]:
    """The settings that name what the chart mounts."""
    return files_of_secrets(tmp_path_factory.mktemp("secrets"), keys)


@pytest.fixture(scope="session")
def sqlite_settings(tmp_path_factory: pytest.TempPathFactory, secrets: dict[str, object]) -> SyncSettings:
    """Settings with a migrated SQLite database."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('sqlite') / 'sync.db'}"
    return migrated(SyncSettings, {**secrets, "database_url": url}, service="sync", scripts=MIGRATIONS)


@pytest.fixture(scope="session")
def postgresql_settings(request: pytest.FixtureRequest, secrets: dict[str, object]) -> SyncSettings:
    """Settings with a migrated PostgreSQL database."""
    postgresql = request.getfixturevalue("postgresql")
    postgresql.create("sync")
    values = {**secrets, **postgresql.address("sync")}
    return migrated(SyncSettings, values, service="sync", scripts=MIGRATIONS)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.contract)])
def database(request: pytest.FixtureRequest) -> SyncSettings:
    """Settings of each database in turn."""
    found: SyncSettings = request.getfixturevalue(f"{request.param}_settings")
    return found


@pytest.fixture
async def settings(database: SyncSettings) -> SyncSettings:
    """Settings with empty tables."""
    await empty_tables(database, Base.metadata)
    return database


@pytest.fixture
async def start(keys: Keys, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Callable[..., Awaitable[Replica]]]:
    """Start replicas that are stopped at the test's end: `await start(settings, heartbeat_seconds=0.1)`."""
    async with AsyncExitStack() as stack:

        async def started(
            settings: SyncSettings, of_server: Mapping[str, object] | None = None, **values: object
        ) -> Replica:
            # Connections that a test leaves behind need not be waited for.
            quick = {"shutdown_drain_seconds": 0.5, "drain_spread_seconds": 0.2, "shutdown_timeout_seconds": 5}
            changed = SyncSettings.model_validate({**settings.model_dump(), **quick, **values})
            return await stack.enter_async_context(running(changed, keys, **(of_server or {})))

        yield started
    # The code that a client gets may be right all the same.
    assert "connection failed" not in capsys.readouterr().out


@pytest.fixture
async def replica(start: Callable[..., Awaitable[Replica]], settings: SyncSettings) -> Replica:
    """A replica with the usual settings."""
    return await start(settings)


@pytest.fixture
def database_file(sqlite_settings: SyncSettings) -> Path:
    """The migrated SQLite database, to be copied."""
    return Path(sqlite_settings.database_url.partition("///")[2])

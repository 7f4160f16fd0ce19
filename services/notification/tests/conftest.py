"""Notification on a migrated database, a clock that is moved, and a receiver of webhooks on loopback."""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Table, select

from notification.models import Base
from notification.service import MIGRATIONS, Parts, assemble
from notification.settings import NotificationSettings
from servicekit.events import REMINDER_DUE, ReminderDue
from testkit.events import KeptPublisher, as_json, deliver
from testkit.postgresql import Postgresql
from testkit.settings import empty_tables, files_of_secrets, migrated
from testkit.tokens import Keys

DEADLINE_SECONDS = 120
CHANNELS = "/api/v1/channels"


@dataclass
class Clock:
    """Stands where it was put."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Put it so many seconds on."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Request:
    """One request that a receiver got."""

    method: str
    target: str
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Receiver:
    """An HTTP server that answers as the script says, one entry a request, and 200 when it is used up.

    Entries are statuses, bytes to write as they are, or `cut` (hang up), `hang` (say nothing), `flood` (never end).
    `greeting` is sent before anything is read.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: deque[int | bytes | str] = deque()
        self.connections = 0
        self.open = 0
        self.greeting = b""
        self.flooded = 0
        self.port = 0

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        """Where it is."""
        return f"{scheme}://{host}:{self.port}/hook?token=hidden"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and one request on it."""
        self.connections += 1
        self.open += 1
        # The other side may hang up at any moment; that is what some tests are about.
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(self.greeting)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split()
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.append(Request(method, target, headers, body.decode()))
            await self._answer(self.script.popleft() if self.script else 200, reader, writer)
        writer.close()
        self.open -= 1

    async def _answer(
        self, said: int | bytes | str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if said == "hang":
            await reader.read()  # until the other side gives up
        elif said == "flood":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x" * 65_536)
                self.flooded += 65_536
                await writer.drain()
        elif said != "cut":
            status = f"HTTP/1.1 {said!s} Said\r\nContent-Length: 0\r\n\r\n"
            writer.write(said if isinstance(said, bytes) else status.encode())
            await writer.drain()


@asynccontextmanager
async def receiving(**options: Any) -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, **options)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@dataclass
class System:
    """A notification service whose worker is driven by hand."""

    parts: Parts
    settings: NotificationSettings
    client: httpx.AsyncClient
    publisher: KeptPublisher
    clock: Clock
    keys: Keys

    def user(self, name: str) -> dict[str, str]:
        """Return the header of a user's requests."""
        return self.keys.headers(name)

    async def channel(self, user: str = "ann", **content: Any) -> str:
        """Make a channel and return its id; without a kind it is a webhook."""
        response = await self.client.post(CHANNELS, json={"kind": "webhook"} | content, headers=self.user(user))
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    def reminder(self, owner: str = "ann", **values: Any) -> dict[str, Any]:
        """Return the event of a due reminder."""
        due = datetime.now(UTC) + timedelta(minutes=15)
        usual = {
            "reminder_id": uuid.uuid4(),
            "owner": owner,
            "task_id": uuid.uuid4(),
            "title": "water the plants",
            "due_at": due,
            "remind_at": due - timedelta(minutes=15),
            "minutes_before": 15,
        }
        data = ReminderDue.model_validate(usual | values)
        return as_json(REMINDER_DUE, data, subject=str(data.task_id), key=owner, source="recurring-task")

    async def remind(self, owner: str = "ann", **values: Any) -> dict[str, Any]:
        """Deliver a due reminder, and return its event."""
        event = self.reminder(owner, **values)
        await self.event("reminders", event)
        return event

    async def event(self, topic: str, event: dict[str, Any]) -> None:
        """Deliver an event as the sidecar does."""
        assert await deliver(self.client, topic, event) == "SUCCESS"

    async def send_due(self) -> int:
        """Make one attempt on everything that is due now; return how many there were."""
        claimed = await self.parts.queue.claim(100)
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
            for delivery in claimed:
                group.create_task(self.parts.worker.attempt(delivery))
        return len(claimed)

    async def deliveries(self, user: str = "ann") -> list[dict[str, Any]]:
        """Return the user's deliveries as the API shows them."""
        response = await self.client.get("/api/v1/deliveries", headers=self.user(user))
        assert response.status_code == 200, response.text
        return list(response.json()["items"])

    async def rows(self, table: Table) -> list[Any]:
        """Read a whole table."""
        async with self.parts.database.transaction() as session:
            return list((await session.execute(select(table))).all())

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Publish what waits in the outbox and return the dead letters so far."""
        await self.parts.messaging.outbox.publish_batch()
        return [event for topic, _, event in self.publisher.published if topic == "dead-letters"]


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.contract)])
def database(request: pytest.FixtureRequest, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The settings' values of a migrated database: on SQLite, then on PostgreSQL."""
    folder = tmp_path_factory.mktemp("notification")
    values = files_of_secrets(folder, keys)
    if request.param == "sqlite":
        values["database_url"] = f"sqlite+aiosqlite:///{folder}/notification.db"
    else:
        postgresql: Postgresql = request.getfixturevalue("postgresql")
        postgresql.create("notification")
        values |= postgresql.address("notification")
    migrated(NotificationSettings, values, service="notification", scripts=MIGRATIONS)
    return values


@pytest.fixture
def clock() -> Clock:
    """A clock that begins now."""
    return Clock()


@pytest.fixture
async def start(database: dict[str, Any], keys: Keys, clock: Clock) -> AsyncIterator[Callable[..., System]]:
    """Start notification on an empty database: settings' values of the test's own, and `resolve`."""
    await empty_tables(NotificationSettings.model_validate(database), Base.metadata)
    begun: list[System] = []

    def begin(*, resolve: Any = None, **values: Any) -> System:
        usual = {"webhook_allowed_hosts": "127.0.0.1", "delivery_timeout_seconds": 20}
        settings = NotificationSettings.model_validate(database | usual | values)
        publisher = KeptPublisher()
        parts = assemble(settings, publisher, clock=clock, resolve=resolve)
        transport = httpx.ASGITransport(parts.service.app)
        client = httpx.AsyncClient(transport=transport, base_url="http://notification", trust_env=False)
        begun.append(System(parts, settings, client, publisher, clock, keys))
        return begun[-1]

    yield begin
    for system in begun:
        await system.client.aclose()
        await system.parts.database.close()


@pytest.fixture
def system(start: Callable[..., System]) -> System:
    """Notification with the usual settings."""
    return start()


@dataclass(frozen=True)
class Certificate:
    """A certificate for the name `receiver.test` that signs itself, in two files."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What a server shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate made now."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver.test")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("receiver.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks on 127.0.0.1."""
    async with receiving() as running:
        yield running


@pytest.fixture
async def tls_receiver(certificate: Certificate) -> AsyncIterator[Receiver]:
    """The same under https, as `receiver.test`."""
    async with receiving(ssl=certificate.context()) as running:
        yield running

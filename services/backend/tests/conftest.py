"""The backend on a migrated database: every API test runs on SQLite and, where installed, on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from backend.models import Base
from backend.service import MIGRATIONS, build
from backend.settings import BackendSettings
from servicekit.app import Service
from servicekit.database import create_engine
from servicekit.migrate import migrate

DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Postgresql:
    """A server of our own, listening on the loopback address with password authentication."""

    binaries: Path
    home: Path
    port: int
    user: str

    @property
    def password_file(self) -> Path:
        """The superuser's password."""
        return self.home / "password"

    def settings(self, database: str = "postgres", **values: object) -> BackendSettings:
        """Return settings that reach one of its databases."""
        address = {
            "database_host": "127.0.0.1",
            "database_port": self.port,
            "database_name": database,
            "database_user": "postgres",
            "database_password_file": self.password_file,
        }
        return BackendSettings.model_validate(address | {"faults_enabled": True} | values)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as a user that is not root, which it refuses."""
        log = self.home / "programs.log"
        with log.open("ab") as output:
            status = subprocess.run(
                [self.binaries / program, *arguments],
                user=self.user if os.geteuid() == 0 else None,
                cwd=self.home,
                stdout=output,
                stderr=output,
                timeout=DEADLINE_SECONDS,
                check=False,
            ).returncode
        assert status == 0, f"{program}: {log.read_text()[-2000:]}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-p {self.port} -k {self.home} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.run("pg_ctl", "-D", "data", "-w", "-l", "server.log", "-o", options, "start")

    def stop(self) -> None:
        """Stop the server; sessions are cut."""
        self.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")


def _postgresql_binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return debian[-1].parent if debian else None


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """Start a PostgreSQL server for the session."""
    binaries = _postgresql_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (no initdb on PATH): nothing was proven on a real database")
    home = Path(tempfile.mkdtemp(prefix="backend-postgresql-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Postgresql(binaries, home, port, _other_user())
    server.password_file.write_text("first-password\n")
    if os.geteuid() == 0:
        shutil.chown(home, server.user)
        shutil.chown(server.password_file, server.user)
    try:
        authentication = ["--auth=scram-sha-256", "--username=postgres", "--pwfile=password"]
        server.run("initdb", "-D", "data", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *authentication)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "tasks.db"
    settings = BackendSettings(database_url=f"sqlite+aiosqlite:///{path}")
    asyncio.run(migrate(settings, service="backend", scripts=MIGRATIONS))
    return path


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.contract)])
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BackendSettings:
    """Settings of a backend with a migrated database: on SQLite, then on PostgreSQL."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path_factory.mktemp("shared"))
        return BackendSettings(database_url=f"sqlite+aiosqlite:///{path}", faults_enabled=True)
    postgresql: Postgresql = request.getfixturevalue("postgresql")
    settings = postgresql.settings()
    asyncio.run(migrate(settings, service="backend", scripts=MIGRATIONS))
    return settings


@pytest.fixture(scope="session")
async def shared_service(settings: BackendSettings) -> AsyncIterator[Service]:
    """A backend that all tests of one database share: building one takes longer than most tests."""
    service = build(settings)
    async with service.app.router.lifespan_context(service.app):
        yield service


async def empty_tables(settings: BackendSettings) -> None:
    """Delete all rows."""
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            await connection.execute(table.delete())
    await engine.dispose()


@pytest.fixture
async def client(shared_service: Service, settings: BackendSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is the user ann, and has no tasks yet."""
    await empty_tables(settings)
    async with client_of(shared_service) as client:
        yield client


@pytest.fixture
async def fresh_client(settings: BackendSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The same with a backend of its own, whose counters are at zero."""
    await empty_tables(settings)
    service = build(settings)
    async with service.app.router.lifespan_context(service.app), client_of(service) as client:
        yield client


def client_of(service: Service) -> httpx.AsyncClient:
    """Return a client of a service in this process."""
    transport = httpx.ASGITransport(service.app)
    return httpx.AsyncClient(
        transport=transport, base_url="http://backend", headers={"X-User-ID": "ann"}, trust_env=False
    )

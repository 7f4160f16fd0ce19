"""PostgreSQL as its image starts it, from the programs of this host."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.contract.programs import free_ports

ROOT = Path(__file__).parents[3]
ENTRYPOINT = ROOT / "ci/src/sluice/supply/images/postgresql/entrypoint.sh"
PROVISION = ROOT / "k8s-fixtures/postgresql/provision.sql"
SUPERUSERS_PASSWORD = "superuser's own"
_SECONDS = 60
_PSQL: list[str | Path] = ["sh", ENTRYPOINT, "psql", "--no-psqlrc", "--quiet"]


@dataclass
class Server:
    """A server that our entry point made and runs."""

    home: Path
    programs: Path
    port: int
    account: str | None
    process: subprocess.Popen[bytes] | None = field(default=None)
    arguments: tuple[str, ...] = ()  # of the server, as a fixture gives them

    def environment(self, **more: str) -> dict[str, str]:
        """What the container's environment is, on this host."""
        return {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "PGDATA": str(self.home / "data"),
            "POSTGRES_PASSWORD_FILE": str(self.home / "password"),
            **more,
        }

    def start(self) -> None:
        """Start it and wait until it answers by TCP, as the probe of the fixture does."""
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", self.home / ENTRYPOINT.name, "postgres", *self.arguments, f"--port={self.port}", "--fsync=off"],
                env=self.environment(), user=self.account, cwd=self.home, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + _SECONDS
        ready: list[str | Path] = [self.programs / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        while subprocess.run(ready, check=False).returncode != 0:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts sessions and ends in order, SIGQUIT leaves everything as it lies."""
        assert self.process
        self.process.send_signal(how)
        self.process.wait(timeout=_SECONDS)

    def log(self) -> str:
        """What the server said."""
        return (self.home / "log").read_text(errors="replace")

    def psql(
        self, *words: str, user: str = "postgres", password: str = SUPERUSERS_PASSWORD, database: str = "postgres",
        more: Mapping[str, str] | None = None, stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run psql through the image's entry point, as the fixture's Job does."""
        return subprocess.run(
            [*_PSQL, *words], env=self._client(user, password, database, **(more or {})),
            input=stdin, capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip

    @contextmanager
    def session(self, statement: str) -> Iterator[None]:
        """Keep a session open that has run a statement: what it locks stays locked until the block ends."""
        with subprocess.Popen(
            [*_PSQL, "--set=ON_ERROR_STOP=1"], env=self._client("postgres", SUPERUSERS_PASSWORD, "postgres"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as psql:  # fmt: skip
            assert psql.stdin
            assert psql.stdout
            psql.stdin.write(f"{statement} \\g /dev/null\n\\echo done\n")
            psql.stdin.flush()
            assert psql.stdout.readline() == "done\n", "the statement failed"
            yield
            psql.stdin.close()

    def _client(self, user: str, password: str, database: str, **more: str) -> dict[str, str]:
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": user, "PGDATABASE": database}
        return self.environment(**where, PGPASSWORD=password, **more)

    def provision(self, identifier: str, password: str) -> subprocess.CompletedProcess[str]:
        """Give a service a role and a database."""
        file = self.home / f"password-of-{len(list(self.home.iterdir()))}"
        file.write_text(f"{password}\n")
        words = (f"--file={PROVISION}", f"--set=identifier={identifier}")
        return self.psql(*words, more={"DATABASE_PASSWORD_FILE": str(file)})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of the module's own; skipped where the host has no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("this host has no PostgreSQL: apt-get install postgresql")
    home = Path(tempfile.mkdtemp(prefix="sluice-postgresql-"))  # pytest's own folders are closed to other accounts
    account = "postgres" if os.geteuid() == 0 else None
    (home / "password").write_text(f"{SUPERUSERS_PASSWORD}\n")
    shutil.copyfile(ENTRYPOINT, home / ENTRYPOINT.name)  # a checkout may be closed to other accounts
    if account:
        for path in (home, home / "password", home / ENTRYPOINT.name):
            shutil.chown(path, account)
    [port] = free_ports(1)
    made = Server(home, found[-1].parent, port, account)
    try:
        made.start()
        yield made
    finally:
        if made.process and made.process.poll() is None:
            made.stop()
        shutil.rmtree(home)

"""Two servers that are each other's region: the image's scripts, the fixture's arguments, this host's programs."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
import yaml
from tests.contract.backup.rigs import account, own_to
from tests.contract.postgresql.conftest import ENTRYPOINT, ROOT, SUPERUSERS_PASSWORD, Server
from tests.contract.programs import free_ports

from sluice.certificates import certificates

FIXTURE = ROOT / "k8s-fixtures/postgresql-region"
REPLICATION_PASSWORD = "replication's: own\\"  # with what a password file has to escape
CERTIFICATE = certificates(("localhost",), client=True)  # of both regions
_SECONDS = 60


def fixture_arguments() -> list[str]:
    """The server's arguments, as the overlay gives them."""
    patch = yaml.safe_load((FIXTURE / "kustomization.yaml").read_text())["patches"][0]["patch"]
    [container] = yaml.safe_load(patch)["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "postgres"
    return [str(word) for word in container["args"][1:]]


@dataclass
class Side(Server):
    """One region's server. `told` is what its ConfigMap says."""

    name: str = field(kw_only=True)
    told: dict[str, str] = field(default_factory=dict)

    def lay_out(self, peer_port: int) -> Self:
        """Write what the image, the ConfigMaps and the Secrets would hold."""
        for file in (ENTRYPOINT, ENTRYPOINT.with_name("region.sh"), *FIXTURE.glob("*.conf"), *FIXTURE.glob("*.sql")):
            shutil.copy(file, self.home / file.name)
        (self.home / "password").write_text(f"{SUPERUSERS_PASSWORD}\n")
        (self.home / "replication").write_text(f"{REPLICATION_PASSWORD}\n")
        self.show(CERTIFICATE)
        self.tell(**{"name": self.name, "epoch": "1", "peer-host": "localhost", "peer-port": str(peer_port)})
        values = {"PEER_HOST": "localhost", "PEER_PORT": str(peer_port), "REGION_NAME": self.name}
        paths = {"/etc/postgresql": str(self.home), "/var/run/postgresql": str(self.home)}
        paths["/etc/secrets/region"] = str(self.home)
        arguments = []
        for word in fixture_arguments():
            for key, value in values.items():
                word = word.replace(f"$({key})", value)
            for inside, here in paths.items():
                word = word.replace(inside, here)
            arguments.append(word)
        self.arguments = tuple(arguments)
        return self

    def show(self, made: tuple[bytes, bytes, bytes]) -> None:
        """Have a certificate, and believe its authority."""
        authority, certificate, key = made
        (self.home / "ca.crt").write_bytes(authority)
        (self.home / "keystore.pem").write_bytes(key + certificate)
        (self.home / "keystore.pem").chmod(0o600)
        own_to(self.home, self.account)

    def tell(self, **told: str) -> None:
        """Change the ConfigMap."""
        self.told |= told
        folder = self.home / "region"
        folder.mkdir(exist_ok=True)
        for name, value in self.told.items():
            (folder / name).write_text(value)
        own_to(self.home, self.account)

    def environment(self, **more: str) -> dict[str, str]:
        """As of a server, with the places that the fixture mounts."""
        return super().environment(
            **{"REGION": str(self.home / "region"), "REPLICATION_PASSWORD_FILE": str(self.home / "replication"),
               "PGPASSFILE": str(self.home / "replication.pgpass"), "PEER_SECONDS": "20",
               "REGION_CA": str(self.home / "ca.crt"), "POSTGRES_INITDB_ARGS": "--data-checksums", **more}
        )  # fmt: skip

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return self.home / "data"

    def decide(self, role: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run region.sh in a role, as the init container does."""
        self.tell(role=role)
        return subprocess.run(
            ["sh", self.home / "region.sh"], env=self.environment(**more), user=self.account, cwd=self.home,
            capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip

    def up(self, role: str) -> str:
        """Decide and start; returns what region.sh did."""
        done = self.decide(role)
        assert done.returncode == 0, done.stdout + done.stderr
        self.start()
        return done.stdout.splitlines()[-1]

    def ask(self, statement: str) -> str:
        """What the superuser gets for a statement, without its ornaments."""
        done = self.psql("--tuples-only", "--no-align", f"--command={statement}")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def until(self, statement: str, expected: str) -> None:
        """Ask until the answer is the expected one."""
        deadline = time.monotonic() + _SECONDS
        while (seen := self.ask(statement)) != expected:
            assert time.monotonic() < deadline, f"{statement}: {seen}\n{self.log()}"
            time.sleep(0.05)

    def allow_the_other(self) -> None:
        """Make the role that the other region follows with, as the pipeline does on the primary."""
        file = self.home / "replication.sql"
        done = self.psql(f"--file={file}", more={"REPLICATION_PASSWORD_FILE": str(self.home / "replication")})
        assert done.returncode == 0, done.stderr

    def write(self, *marks: str) -> None:
        """Write marked rows."""
        self.ask("CREATE TABLE IF NOT EXISTS marked (mark text)")
        for mark in marks:
            self.ask(f"INSERT INTO marked VALUES ('{mark}')")

    def marks(self) -> list[str]:
        """What marked rows it has."""
        return self.ask("SELECT mark FROM marked ORDER BY mark").split()

    def promote(self) -> None:
        """Promote it, as the command does."""
        assert self.ask("SELECT pg_promote(wait := true, wait_seconds := 30)") == "t", self.log()
        self.ask("CHECKPOINT")

    def lose(self) -> None:
        """End it in the middle of its work."""
        assert self.process
        self.process.kill()
        self.process.wait(timeout=_SECONDS)
        deadline = time.monotonic() + _SECONDS
        while self._of_it():  # its children see that it is gone
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _of_it(self) -> list[Path]:
        """Processes that still work in its folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink() == self.data:
                    found.append(process)
            except OSError:
                continue
        return found

    def identifier(self) -> str:
        """Its database's identifier."""
        return self.control("Database system identifier")

    def control(self, name: str) -> str:
        """What its control file says."""
        told = subprocess.run(
            [self.programs / "pg_controldata", self.data], capture_output=True, text=True, check=True,
            env=self.environment(LC_ALL="C"), user=self.account,
        ).stdout  # fmt: skip
        found = re.search(rf"^{name}: +(.+)$", told, re.MULTILINE)
        assert found
        return found[1]

    def end(self) -> None:
        """End it, and remove what it left."""
        if self.process and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    """East and west, neither of them running; skipped where the host has no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("this host has no PostgreSQL: apt-get install postgresql")
    ports = free_ports(2)
    made = []
    for name, port in zip(("east", "west"), ports, strict=True):
        home = Path(tempfile.mkdtemp(prefix=f"sluice-{name}-"))  # pytest's own folders are closed to other accounts
        made.append(Side(home, found[-1].parent, port, account(), name=name))
    east, west = made
    try:
        east.lay_out(west.port)
        west.lay_out(east.port)
        yield east, west
    finally:
        for side in made:
            side.end()


@pytest.fixture
def pair(sides: tuple[Side, Side]) -> tuple[Side, Side]:
    """East with a row, and west that follows it."""
    east, west = sides
    east.tell(first="yes", alone="yes")
    assert east.up("primary") == "east: the first database"
    east.allow_the_other()
    east.write("before")
    assert west.up("standby") == "west: follows a new copy"
    west.until("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'", "1")
    east.tell(first="", alone="")
    return east, west

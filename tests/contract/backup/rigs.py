"""A PostgreSQL that archives, and its repository as it lies in the store."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.contract.postgresql.conftest import SUPERUSERS_PASSWORD, Server

IMAGES = Path(__file__).parents[3] / "ci/src/sluice/supply/images"
PASSPHRASE = "what the repository is encrypted with"
_SECONDS = 120


def account() -> str | None:
    """Whose the server's files are: PostgreSQL refuses root."""
    return "postgres" if os.geteuid() == 0 else None


def own_to(folder: Path, owner: str | None) -> None:
    """Give a folder and all in it to an account."""
    if owner:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, owner)


@dataclass(frozen=True)
class Repository:
    """Where a server's back-ups lie: a path in the bucket, whose objects are files below `objects`."""

    path: str
    port: int
    access: str
    secret: str
    objects: Path

    def conf(self, ca: Path, passphrase: str = PASSPHRASE) -> str:
        """What the Secret of a cluster says of it."""
        return f"""[global]
repo1-path={self.path}
repo1-s3-endpoint=localhost
repo1-storage-port={self.port}
repo1-storage-ca-file={ca}
repo1-s3-bucket=sluice
repo1-s3-region=us-east-1
repo1-s3-key={self.access}
repo1-s3-key-secret={self.secret}
repo1-cipher-pass={passphrase}
"""

    def files(self, pattern: str) -> list[Path]:
        """The objects that match a pattern, in the order of their names."""
        return sorted(self.objects.joinpath(self.path.strip("/")).glob(pattern))


@dataclass
class Archived(Server):
    """A server with a repository."""

    repository: Repository = field(kw_only=True)
    data: str = "data"  # the folder of its files

    def lay_out(self) -> None:
        """Write what the image and its Secrets would hold."""
        (self.home / "password").write_text(f"{SUPERUSERS_PASSWORD}\n")
        (self.home / "conf.d").mkdir()
        self.tell()

    def tell(self, passphrase: str = PASSPHRASE) -> None:
        """Write the Secret."""
        path = self.home / "conf.d" / "repository.conf"
        path.write_text(self.repository.conf(self.home / "ca.crt", passphrase))
        own_to(path, self.account)

    def environment(self, **more: str) -> dict[str, str]:
        """As of a server, with what pgBackRest finds at fixed places in the image."""
        return super().environment(
            PGBACKREST_CONFIG=str(self.home / "pgbackrest.conf"),
            PGBACKREST_CONFIG_INCLUDE_PATH=str(self.home / "conf.d"),
            PGBACKREST_PG1_PATH=str(self.home / self.data), PGBACKREST_PG1_PORT=str(self.port),
            PGBACKREST_PG1_USER="postgres", PGBACKREST_LOCK_PATH=str(self.home / "lock"),
            PGBACKREST_SPOOL_PATH=str(self.home / "spool"), PGBACKREST_JOB_RETRY="0", RESTORE_PORT=str(self.port),
            **{"PGDATA": str(self.home / self.data), "ARCHIVE_TIMEOUT": "3600", **more},
        )  # fmt: skip

    def script(self, name: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one of the image's scripts as the server's account."""
        environment = self.environment(**more)
        environment["PATH"] = f"{self.home}:{environment['PATH']}"
        return subprocess.run(
            ["sh", self.home / name, *words], env=environment, user=self.account, cwd=self.home,
            capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False,
        )  # fmt: skip

    def back_up(self, kind: str = "full") -> None:
        """Take a back-up that is whole."""
        done = self.script("backup.sh", kind)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.log()}"

    def ask(self, statement: str) -> str:
        """What the superuser gets for a statement, without its ornaments."""
        done = self.psql("--tuples-only", "--no-align", f"--command={statement}")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, rows: int, mark: str) -> None:
        """Write marked rows, into one segment, and see that segment archived."""
        self.ask(
            "CREATE TABLE IF NOT EXISTS marked (id bigint GENERATED ALWAYS AS IDENTITY, mark text, at timestamptz)"
        )
        self.ask(f"INSERT INTO marked (mark, at) SELECT '{mark}', clock_timestamp() FROM generate_series(1, {rows})")
        segment = self.ask("SELECT pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + _SECONDS
        while self.ask(f"SELECT last_archived_wal >= '{segment}' FROM pg_stat_archiver") != "t":
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def checksum(self) -> str:
        """Of all marked rows, in order: two servers that hold the same say the same."""
        return self.ask("SELECT md5(string_agg(marked::text, E'\\n' ORDER BY id)) FROM marked")

    @contextmanager
    def damaged(self, pattern: str, damage: Callable[[Path], object]) -> Iterator[None]:
        """Damage the last object but one that matches a pattern, until the block ends."""
        path = (self.repository.files(pattern) * 2)[-2]
        whole = path.read_bytes()
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        damage(path)
        yield
        path.write_bytes(whole)
        for name, value in attributes.items():
            os.setxattr(path, name, value)

    def lose(self) -> None:
        """The disaster: the server ends in the middle of its work, and its files are gone."""
        assert self.process
        self.process.kill()
        self.process.wait(timeout=_SECONDS)
        deadline = time.monotonic() + _SECONDS
        while (self.home / self.data).exists():  # its children see that it is gone and write no more
            shutil.rmtree(self.home / self.data, ignore_errors=True)
            assert time.monotonic() < deadline

    def end(self) -> None:
        """End it, and remove what it left."""
        if self.process and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.repository.objects / self.repository.path.strip("/"), ignore_errors=True)

"""A store of its own on loopback, with TLS, and a PostgreSQL that archives into it as its image does."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.contract.backup.rigs import IMAGES, Archived, Repository, account, own_to
from tests.contract.programs import free_ports, program, running
from tests.contract.registry.fronts import certificate

_KEYS = ("drill-access", "drill-secret-4711")


@dataclass(frozen=True)
class Store:
    """A store that runs: its port, the folder that its objects lie in, and who it believes."""

    port: int
    objects: Path
    certificate: Path
    access: str
    secret: str


@contextmanager
def _store(home: Path) -> Iterator[Store]:
    [port] = free_ports(1)
    both = certificate(home / "tls")
    crt, objects = both.with_name("certificate.pem"), home / "objects"
    (objects / "sluice").mkdir(parents=True)
    argv: list[str | Path] = [
        "env", f"ROOT_ACCESS_KEY={_KEYS[0]}", f"ROOT_SECRET_KEY={_KEYS[1]}", program("versitygw"),
        "--port", f"127.0.0.1:{port}", "--cert", crt, "--key", both, "posix", objects,
    ]  # fmt: skip

    def ready() -> bool:
        with httpx.Client(trust_env=False, verify=False, timeout=2) as client:
            return client.get(f"https://localhost:{port}/").status_code == 403  # it asks who we are

    with running(argv, ready=ready, log=home / "versitygw.log"):
        yield Store(port, objects, crt, *_KEYS)


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """The store of all tests."""
    home = Path(tempfile.mkdtemp(prefix="sluice-store-"))  # pytest's own folders are closed to other accounts
    home.chmod(0o755)
    try:
        with _store(home) as made:
            yield made
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def make_server(store: Store) -> Iterator[Callable[[], Archived]]:
    """Make servers that archive, each into a repository of its own; skipped where the host lacks the programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    missing = [name for name, there in (("postgresql", found), ("pgbackrest", shutil.which("pgbackrest"))) if not there]
    if missing:
        pytest.skip(f"this host has no {' and no '.join(missing)}: apt-get install {' '.join(missing)}")
    made: list[Archived] = []

    def make() -> Archived:
        home = Path(tempfile.mkdtemp(prefix="sluice-archived-"))
        shutil.copy(store.certificate, home / "ca.crt")
        for name in ("entrypoint.sh", "backup.sh", "verify-backup.sh", "restore.sh", "pgbackrest.conf"):
            Path(shutil.copy(IMAGES / "postgresql" / name, home / name)).chmod(0o755)
        repository = Repository(f"/{home.name}", store.port, store.access, store.secret, store.objects / "sluice")
        [port] = free_ports(1)
        server = Archived(home, found[-1].parent, port, account(), repository=repository)
        server.lay_out()
        own_to(home, server.account)
        made.append(server)
        return server

    try:
        yield make
    finally:
        for server in made:
            server.end()


@pytest.fixture
def restic(store: Store, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run keep-files.sh as its image does; skipped where the host has no restic."""
    if not shutil.which("restic"):
        pytest.skip("this host has no restic: apt-get install restic")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "passphrase").write_text("passphrase of the test\n")
    (secrets / "credentials").write_text(
        f"[default]\naws_access_key_id = {store.access}\naws_secret_access_key = {store.secret}\n"
    )
    shutil.copy(store.certificate, secrets / "ca.crt")
    environment = {
        "PATH": f"{IMAGES / 'backup-tools/bin'}:/usr/bin:/bin", "HOME": str(tmp_path),
        "REPOSITORY_SECRETS": str(secrets),
        "RESTIC_REPOSITORY": f"s3:https://localhost:{store.port}/sluice/{tmp_path.name}",
    }  # fmt: skip

    def run(words: Sequence[str | Path], **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", IMAGES / "backup-tools/bin/keep-files.sh", *words],
            env={**environment, **more}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run

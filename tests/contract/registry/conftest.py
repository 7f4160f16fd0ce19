"""Crane's registry, a front of each kind before it, and the real cosign, oras and syft."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from tests.contract.programs import answers, free_ports, program, running
from tests.contract.registry.fronts import Front, certificate, front_of
from tests.contract.registry.rigs import LOGIN, Rig

from sluice.adapters.registry.access import Access
from sluice.adapters.registry.cosign import Cosign
from sluice.promotion.signing import Key


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry in plain HTTP, without the referrers API, with its blobs in memory."""
    [port] = free_ports(1)
    argv: list[str | Path] = [program("crane"), "registry", "serve", "--address", f"127.0.0.1:{port}"]
    log = tmp_path_factory.mktemp("crane") / "crane.log"
    with running(argv, ready=answers(f"http://127.0.0.1:{port}/v2/"), log=log):
        yield f"localhost:{port}"


@pytest.fixture(scope="session")
def make_keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Key]:
    """Make a pair of keys with a password."""

    def make(password: str) -> Key:
        folder = tmp_path_factory.mktemp("keys")
        cosign = Cosign(program("cosign"), folder / "work", folder / "cosign.log")
        return Key(*anyio.run(cosign.generate_key_pair, folder / "keys", password), password)

    return make


@pytest.fixture(scope="session")
def keys(make_keys: Callable[[str], Key]) -> Key:
    """The pair of keys that tests sign with."""
    return make_keys("hush-hush-4711")


@pytest.fixture(scope="session")
def other_keys(make_keys: Callable[[str], Key]) -> Key:
    """A stranger's."""
    return make_keys("other-0815")


@pytest.fixture
def rig(tmp_path: Path, registry: str, keys: Key) -> Rig:
    """The adapters."""
    return Rig(tmp_path, registry, keys)


@pytest.fixture
def modern(registry: str) -> Iterator[Front]:
    """A front with the referrers API."""
    with front_of(registry, referrers=True) as front:
        yield front


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost with its key."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secured(registry: str, pem: Path) -> Iterator[Front]:
    """A front with TLS and a login, and no referrers API."""
    with front_of(registry, login=LOGIN, tls=pem) as front:
        yield front


@pytest.fixture
def secured_access(rig: Rig, secured: Front, pem: Path) -> Access:
    """Access to it, by a file of credentials and a certificate."""
    return rig.secured(secured.host, pem.with_name("certificate.pem"))

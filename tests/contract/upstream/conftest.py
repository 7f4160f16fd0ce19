"""The real crane, its registry, and servers on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.programs import answers, free_ports, program, running
from tests.contract.upstream.rigs import Rig
from tests.contract.upstream.servers import file_server, front_of


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry of crane's own, with its blobs in memory."""
    [port] = free_ports(1)
    argv: list[str | Path] = [program("crane"), "registry", "serve", "--address", f"127.0.0.1:{port}"]
    log = tmp_path_factory.mktemp("crane") / "crane.log"
    with running(argv, ready=answers(f"http://127.0.0.1:{port}/v2/"), log=log):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def rig(tmp_path: Path, registry: str) -> Iterator[Rig]:
    """A supply over a file server and a registry with a front."""
    with file_server() as files, front_of(registry) as front:
        yield Rig(tmp_path, files, program("crane"), registry, front)

"""Images, with the real crane: pulled by digest, locked, and refused when they are not what they were."""

import json
import socket
from pathlib import Path

import pytest
from tests.contract.upstream.rigs import Rig, layer_text
from tests.contract.upstream.servers import Front

from sluice.errors import DigestMismatch, SupplyError, Truncated, Unreachable
from sluice.supply import oci

pytestmark = [pytest.mark.anyio, pytest.mark.contract]


def listed(rig: Rig, name: str, *, form: str = "image") -> str:
    """List an image of the front; returns its address."""
    assert rig.front
    address = f"127.0.0.1:{rig.front.port}/test/{name}:1"
    rig.add(name, f'form = "{form}"\nupstream = {{ image = "{address}" }}')
    return address


@pytest.fixture
def front(rig: Rig) -> Front:
    assert rig.front
    return rig.front


async def test_an_image_is_pulled_by_digest_and_the_digest_is_locked(rig: Rig) -> None:
    address, digest = listed(rig, "locked"), rig.push("test/locked:1", "v1")
    made = await rig.run("locked")
    assert (made.how, made.digest) == ("upstream", digest)
    assert oci.layout_digest(Path(made.path) / "oci") == digest
    assert json.loads(rig.lock_file.read_text())[address] == digest
    assert rig.front
    pulled = [path for path in rig.front.asked if path.startswith("GET") and "/manifests/" in path]
    assert pulled[-1].endswith(f"/manifests/{digest}")
    before = len(rig.front.asked)
    assert (await rig.run("locked")).cached
    assert len(rig.front.asked) == before


async def test_what_was_locked_is_taken_although_the_tag_moved(rig: Rig) -> None:
    listed(rig, "moved")
    digest = rig.push("test/moved:1", "v1")
    await rig.run("moved")
    assert rig.push("test/moved:1", "v2") != digest
    rig.forget()
    again = await rig.run("moved")
    assert (again.digest, again.cached) == (digest, False)
    assert b"v1" in layer_text(again)[0]


async def test_a_base_comes_as_an_archive_for_an_engine(rig: Rig, tmp_path: Path) -> None:
    listed(rig, "base", form="base")
    rig.push("test/base:1", "v1")
    made = await rig.run("base")
    config, layers = oci.unpack_archive(Path(made.path) / "image.tar", tmp_path / "apart")
    assert json.loads(config)["config"]["Entrypoint"] == ["/tool"]
    assert len(layers) == 1


async def test_of_several_platforms_ours_is_taken(rig: Rig) -> None:
    listed(rig, "several")
    other = rig.push("test/several:arm", "arm", platform="arm64")
    ours = rig.push("test/several:amd", "amd")
    target = f"{rig.registry}/test/several"
    rig.crane_runs("index", "append", "-m", f"{target}@{other}", "-m", f"{target}@{ours}", "-t", f"{target}:1")
    assert (await rig.run("several")).digest == ours


async def test_a_lock_with_a_digest_that_the_registry_does_not_have_is_told(rig: Rig) -> None:
    address = listed(rig, "wrong")
    digest = rig.push("test/wrong:1", "v1")
    wrong = "sha256:" + "0" * 64
    rig.lock_file.write_text(json.dumps({address: wrong}))
    error = await rig.refuses("wrong", DigestMismatch)
    assert error.expected == wrong
    rig.lock_file.unlink()
    assert (await rig.run("wrong")).digest == digest


async def test_a_lock_with_nonsense_for_a_digest_is_told(rig: Rig) -> None:
    address = listed(rig, "nonsense")
    rig.push("test/nonsense:1", "v1")
    rig.lock_file.write_text(json.dumps({address: "sha256:beef"}))
    assert (await rig.refuses("nonsense", SupplyError)).seen == "sha256:beef"


@pytest.mark.parametrize("form", ["image", "base"])
async def test_a_blob_that_was_tampered_with_is_refused(rig: Rig, front: Front, form: str) -> None:
    earlier = f"{form}-earlier"
    listed(rig, earlier)
    rig.push(f"test/{earlier}:1", "v1")
    await rig.run(earlier)
    name = f"{form}-tampered"
    listed(rig, name, form=form)
    rig.push(f"test/{name}:1", f"the true {form}")
    front.change = lambda path, body: body.replace(b"true", b"evil") if "/blobs/" in path else body
    error = await rig.refuses(name, DigestMismatch)
    assert "sha256:" in error.seen
    front.change = None
    assert await rig.run(name)


async def test_a_manifest_that_was_tampered_with_is_refused(rig: Rig, front: Front) -> None:
    listed(rig, "manifest")
    digest = rig.push("test/manifest:1", "v1")
    front.change = lambda path, body: body + b" " if "/manifests/sha256:" in path else body
    error = await rig.refuses("manifest", DigestMismatch)
    assert "sha256:" in error.seen
    front.change = None
    assert (await rig.run("manifest")).digest == digest


@pytest.mark.parametrize("form", ["image", "base"])
async def test_a_transfer_that_breaks_off_is_refused(rig: Rig, front: Front, form: str) -> None:
    name = f"{form}-cut"
    listed(rig, name, form=form)
    rig.push(f"test/{name}:1", f"a longer text for {form} " * 1000)
    front.cut_to = 20
    await rig.refuses(name, Truncated)
    front.cut_to = None
    assert await rig.run(name)


async def test_a_blob_that_is_shorter_than_its_manifest_says_is_refused(rig: Rig, front: Front) -> None:
    listed(rig, "short")
    rig.push("test/short:1", "a text of some length" * 100)
    front.change = lambda path, body: body[:-100] if "/blobs/" in path and len(body) > 1000 else body
    await rig.refuses("short", DigestMismatch)
    front.change = None
    assert await rig.run("short")


async def test_a_registry_that_is_away_is_unreachable(rig: Rig) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rig.add("away", f'form = "image"\nupstream = {{ image = "127.0.0.1:{port}/a/b:1" }}')
    error = await rig.refuses("away", Unreachable)
    assert "refused" in error.seen
    assert error.next_command == "./nox -s supply -- --supply source"


@pytest.mark.parametrize(("status", "kind"), [(429, Unreachable), (503, Unreachable), (403, SupplyError)])
async def test_a_registry_that_regrets_is_told(rig: Rig, front: Front, status: int, kind: type[SupplyError]) -> None:
    name = f"regrets-{status}"
    listed(rig, name)
    rig.push(f"test/{name}:1", f"v{status}")
    front.status = status
    await rig.refuses(name, kind)
    front.status = None
    assert await rig.run(name)


async def test_an_image_that_is_not_there_is_told(rig: Rig) -> None:
    listed(rig, "absent")
    error = await rig.refuses("absent", SupplyError)
    assert "catalog.toml" in error.next_command
    rig.push("test/absent:1", "v1")
    assert await rig.run("absent")

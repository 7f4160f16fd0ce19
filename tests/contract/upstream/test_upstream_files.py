"""Release files: held to their SHA-256, and nothing is kept of what is not whole."""

import io
import json
import socket
import tarfile
from pathlib import Path

import pytest
from tests.contract.upstream.rigs import Rig

from sluice.errors import DigestMismatch, SupplyError, Truncated, Unreachable

pytestmark = [pytest.mark.anyio, pytest.mark.contract]
BODY = b"a program " * 100_000


def listed(rig: Rig, path: str = "tool", *, form: str = "program", member: str = "", name: str = "tool") -> Rig:
    more = f', member = "{member}"' if member else ""
    rig.add(name, f'form = "{form}"\nupstream = {{ archive = "{rig.files.url(path)}"{more} }}')
    rig.files.files.setdefault(path, BODY)
    return rig


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


async def test_a_file_is_fetched_once_and_its_digest_locked(rig: Rig) -> None:
    listed(rig)
    made = await rig.run("tool")
    program = Path(made.path) / "tool"
    assert program.read_bytes() == BODY
    assert program.stat().st_mode & 0o111
    assert (made.how, made.cached) == ("upstream", False)
    assert json.loads(rig.lock_file.read_text()) == {rig.files.url("tool"): made.digest}
    assert (await rig.run("tool")).cached
    assert rig.files.asked == ["tool"]


async def test_another_file_than_was_locked_is_refused(rig: Rig) -> None:
    listed(rig)
    made = await rig.run("tool")
    rig.forget()
    rig.files.files["tool"] = BODY + b"and a surprise"
    error = await rig.refuses("tool", DigestMismatch)
    assert error.expected == made.digest
    assert error.seen.startswith("sha256:")
    assert error.seen != made.digest
    rig.files.files["tool"] = BODY
    assert (await rig.run("tool")).digest == made.digest


async def test_a_file_that_breaks_off_is_refused(rig: Rig) -> None:
    await listed(rig, "earlier", name="earlier").run("earlier")
    listed(rig)
    rig.files.missing_bytes = 500
    error = await rig.refuses("tool", Truncated)
    assert error.seen.startswith(f"{len(BODY)} bytes, ")
    assert error.expected == f"{len(BODY) + 500} bytes"
    rig.files.missing_bytes = 0
    assert (await rig.run("tool")).size_bytes == len(BODY)


@pytest.mark.parametrize(("status", "kind"), [(403, SupplyError), (429, Unreachable), (503, Unreachable)])
async def test_a_refusal_is_told_with_its_status(rig: Rig, status: int, kind: type[SupplyError]) -> None:
    listed(rig)
    rig.files.status = status
    assert (await rig.refuses("tool", kind)).seen == f"HTTP {status}"
    rig.files.status = 200
    assert await rig.run("tool")


async def test_a_file_that_is_not_there_is_told(rig: Rig) -> None:
    listed(rig)
    del rig.files.files["tool"]
    error = await rig.refuses("tool", SupplyError)
    assert error.seen == "HTTP 404"
    assert "catalog.toml" in error.next_command
    rig.files.files["tool"] = BODY
    assert await rig.run("tool")


async def test_a_server_that_is_away_is_unreachable(rig: Rig) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rig.add("tool", f'form = "program"\nupstream = {{ archive = "http://127.0.0.1:{port}/tool" }}')
    error = await rig.refuses("tool", Unreachable)
    assert "ConnectError" in error.seen
    assert error.next_command == "./nox -s supply -- --supply source"


async def test_a_redirect_is_followed(rig: Rig) -> None:
    listed(rig, "real")
    rig.files.redirects["moved"] = rig.files.url("real")
    rig.add("other", f'form = "program"\nupstream = {{ archive = "{rig.files.url("moved")}" }}')
    assert (Path((await rig.run("other")).path) / "other").read_bytes() == BODY


async def test_a_member_is_taken_out_of_its_archive(rig: Rig) -> None:
    rig.files.files["tool-1.tar.gz"] = archive({"tool-1/README": b"x", "tool-1/tool": BODY})
    made = await listed(rig, "tool-{version}.tar.gz", member="tool-{version}/tool").run("tool")
    assert [file.name for file in Path(made.path).iterdir()] == ["tool"]
    assert (Path(made.path) / "tool").read_bytes() == BODY


@pytest.mark.parametrize(
    "content",
    [archive({"other": b"x"}), b"no archive", archive({"tool": BODY})[:200], archive({"tool/inside": b"x"})],
    ids=["no such member", "no archive", "half an archive", "a folder in its place"],
)
async def test_an_archive_that_does_not_hold_it_is_told(rig: Rig, content: bytes) -> None:
    rig.files.files["tool.tar.gz"] = content
    listed(rig, "tool.tar.gz", member="tool")
    error = await rig.refuses("tool", SupplyError)
    assert error.expected == "tool"
    assert not rig.lock_file.exists(), "what could not be used is not what is held to from now on"
    rig.files.files["tool.tar.gz"] = archive({"tool": BODY})
    assert await rig.run("tool")


async def test_files_keep_their_names(rig: Rig) -> None:
    made = await listed(rig, "v1/crds.yaml", form="files").run("tool")
    assert [file.name for file in (Path(made.path) / "files").iterdir()] == ["crds.yaml"]


@pytest.mark.parametrize("content", ["{", "[]", "3"])
async def test_a_lock_that_cannot_be_read_is_told_and_left(rig: Rig, content: str) -> None:
    listed(rig)
    rig.lock_file.write_text(content)
    with pytest.raises(SupplyError, match="cannot be read"):
        await rig.run("tool")
    assert rig.lock_file.read_text() == content

"""EngineBuilder: the same Dockerfile and context, built by the engine, settled and delivered by digest."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagger
import gql
import pytest
from tests.unit.dagger.session import Call, FakeSession, session

from sluice.adapters.dagger_engine import builder as module
from sluice.adapters.dagger_engine.builder import EngineBuilder, into_folder
from sluice.domain import Image
from sluice.errors import CommandFailed
from sluice.supply import oci

__all__ = ["session"]

pytestmark = pytest.mark.anyio
DOCKERFILE = "ARG PYTHON_IMAGE=python:3.11\nFROM ${PYTHON_IMAGE} AS dependencies\nFROM ${PYTHON_IMAGE}\nCOPY a /a\n"
BASE = "sluice.local/python:1"


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def layer(target: Path, at: int, **files: str) -> oci.Layer:
    """A layer as a builder writes it: with the hour, and in the order that it met the files."""
    with tarfile.open(target, "w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname = len(text), at, "builder"
            tar.addfile(member, io.BytesIO(text.encode()))
    return oci.layer_of(target)


def exported(folder: Path, at: int = 1) -> bytes:
    """An image as the engine exports it: a tar of an OCI layout, and a file that would lead out of the folder."""
    folder.mkdir()
    base, own = layer(folder / "0.tar", at, lib="in one piece"), layer(folder / "1.tar", at, b="b", a="a")
    oci.write_layout(folder / "layout", oci.configuration([base, own], ["/bin/program"]), [base, own])
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for file in sorted((folder / "layout").rglob("*")):
            if file.is_file():
                add(tar, str(file.relative_to(folder / "layout")), file.read_bytes())
        add(tar, "../outside", b"no")
    return out.getvalue()


def archive(folder: Path) -> Path:
    """A `docker save` archive of a base image of two layers."""
    target = folder / "base.tar"
    with tarfile.open(target, "w") as tar:
        for name in ("one", "two"):
            add(tar, f"{name}.tar", layer(folder / "layer", 7, **{name: name}).path.read_bytes())
        add(tar, "manifest.json", json.dumps([{"Config": "c.json", "Layers": ["one.tar", "two.tar"]}]).encode())
        add(tar, "c.json", json.dumps({"config": {"Env": ["PATH=/bin", 'NOTE=a "$b"'], "WorkingDir": "/x"}}).encode())
    return target


class Rig:
    def __init__(self, folder: Path, session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session, self.work, self.target = session, folder / "work", folder / "images"
        self.context = folder / "context"
        self.context.mkdir()
        (self.context / "Dockerfile").write_text(DOCKERFILE)
        self.image = exported(folder / "export")
        self.bases: dict[str, Path] = {}
        self.flattened: list[Path] = []
        self.folder = folder

        def export(asked: list[Call]) -> str:
            Path(asked[-1].args["path"]).write_bytes(self.image)
            return asked[-1].args["path"]  # type: ignore[no-any-return]

        async def run(argv: list[Any], **_: object) -> None:
            self.flattened.append(argv[-1])
            argv[-1].write_bytes(b"flat")

        session.answers["export"] = export
        monkeypatch.setattr(module, "run", run)

    async def build(self, arguments: Mapping[str, str] | None = None) -> Image:
        builder = EngineBuilder(
            self.session.client,
            into_folder(self.target),
            work=self.work,
            crane=Path("crane"),
            bases=self.bases,
            say=lambda _: None,
        )
        return await builder.build("backend", self.context, build_args=arguments or {}, repository="here/backend")

    def call(self, name: str) -> dict[str, Any]:
        (found,) = [call.args for call in self.session.asked[-1] if call.name == name]
        return found


@pytest.fixture
def rig(tmp_path: Path, session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, session, monkeypatch)


async def test_the_context_is_built_as_it_is_staged_and_known_by_digest(rig: Rig) -> None:
    image = await rig.build({"PYTHON_IMAGE": "python@sha256:1"})
    layout = rig.target / "backend"
    assert image == Image("backend", "here/backend", oci.layout_digest(layout), oci.layout_size(layout))
    assert rig.call("directory") == {"path": str(rig.context)}
    assert rig.call("dockerBuild") == {"buildArgs": [{"name": "PYTHON_IMAGE", "value": "python@sha256:1"}]}


async def test_an_image_is_the_same_on_any_day(rig: Rig) -> None:
    first = await rig.build()
    rig.image = exported(rig.folder / "later", at=1_000_000)
    assert await rig.build() == first


async def test_the_hour_and_the_order_of_the_build_are_not_in_it(rig: Rig) -> None:
    await rig.build()
    for file in oci.layout_layers(rig.target / "backend"):
        with tarfile.open(file) as tar:
            assert [(one.mtime, one.uname) for one in tar] == [(0, "")] * len(tar.getnames())
            assert tar.getnames() == sorted(tar.getnames())


async def test_the_layers_of_a_base_are_its_own_and_not_the_piece_that_it_was_built_from(rig: Rig) -> None:
    rig.bases = {BASE: archive(rig.folder)}
    await rig.build({"PYTHON_IMAGE": BASE})
    found = []
    for file in oci.layout_layers(rig.target / "backend"):
        with tarfile.open(file) as tar:
            found.append(tar.getnames())
    assert found == [["one"], ["two"], ["a", "b"]]
    with tarfile.open(oci.layout_layers(rig.target / "backend")[0]) as tar:
        assert [one.mtime for one in tar] == [7], "components' images share them: they stay as they are"


async def test_an_image_says_how_it_is_run_as_under_docker(rig: Rig) -> None:
    await rig.build()
    assert rig.call("withLabel") == {"name": "dev.sluice.owner", "value": "sluice"}
    blobs = rig.target / "backend" / "blobs" / "sha256"
    digest = oci.layout_digest(rig.target / "backend").removeprefix("sha256:")
    manifest = json.loads((blobs / digest).read_bytes())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    assert config["config"]["Entrypoint"] == ["/bin/program"]
    assert set(config) == {"architecture", "os", "config", "rootfs"}, "and nothing of its making"


async def test_layers_travel_uncompressed(rig: Rig) -> None:
    await rig.build()
    assert rig.call("asTarball")["forcedCompression"] == "Uncompressed"


async def test_a_layout_is_delivered_and_nothing_outside_of_it(rig: Rig) -> None:
    image = await rig.build()
    assert oci.layout_digest(rig.target / "backend") == image.digest
    assert not list(rig.folder.rglob("outside"))


async def test_a_base_that_no_registry_has_becomes_a_stage_of_the_dockerfile(rig: Rig) -> None:
    rig.bases = {BASE: archive(rig.folder)}
    await rig.build({"PYTHON_IMAGE": BASE, "OTHER": "kept"})
    assert {one["name"]: one["value"] for one in rig.call("dockerBuild")["buildArgs"]} == {
        "PYTHON_IMAGE": "sluice-base",
        "OTHER": "kept",
    }
    written = rig.call("withNewFile")
    assert written["path"] == "Dockerfile"
    assert written["contents"].startswith("ARG PYTHON_IMAGE=python:3.11\nFROM scratch AS sluice-base\nADD ")
    assert written["contents"].endswith(DOCKERFILE.partition("\n")[2])
    assert (rig.context / "Dockerfile").read_text() == DOCKERFILE, "the staged file is what both runtimes build"


async def test_the_base_keeps_its_environment_and_folder(rig: Rig) -> None:
    rig.bases = {BASE: archive(rig.folder)}
    await rig.build({"PYTHON_IMAGE": BASE})
    lines = rig.call("withNewFile")["contents"].splitlines()
    assert 'ENV PATH="/bin"' in lines
    assert 'ENV NOTE="a \\"\\$b\\""' in lines
    assert "WORKDIR /x" in lines


async def test_a_base_is_flattened_once(rig: Rig) -> None:
    rig.bases = {BASE: archive(rig.folder)}
    await rig.build({"PYTHON_IMAGE": BASE})
    await rig.build({"PYTHON_IMAGE": BASE})
    assert len(rig.flattened) == 1


async def test_a_failed_build_tells_its_last_lines_and_its_status(rig: Rig) -> None:
    def failure(_: object) -> dagger.QueryError:
        extensions = {
            "_type": "EXEC_ERROR",
            "cmd": [],
            "exitCode": 7,
            "stdout": "",
            "stderr": "one\ntwo: no such wheel",
        }
        value = dagger._exceptions.QueryErrorValue("process failed", extensions=extensions)
        return dagger.QueryError([value], gql.gql("{ container }"))

    rig.session.answers["export"] = lambda asked: failure(asked)
    with pytest.raises(CommandFailed) as caught:
        await rig.build()
    assert caught.value.status == 7
    assert "two: no such wheel" in caught.value.seen
    assert "services/backend/Dockerfile" in caught.value.next_command

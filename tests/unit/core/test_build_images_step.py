"""build_images: what a Dockerfile finds in its context, and what it does not."""

import os
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from tests.unit.core.trees import tree, write

from sluice.domain import Image, Images, Source
from sluice.errors import CommandFailed
from sluice.steps.build_images import build_images
from sluice.steps.resolve_source import resolve_source

pytestmark = pytest.mark.anyio


class FakeBuilder:
    """Implements ports.ImageBuilder: notes each context's files."""

    def __init__(self) -> None:
        self.contexts: dict[str, set[str]] = {}
        self.built: list[str] = []
        self.at_work = self.most_at_work = 0
        self.folders: dict[str, Path] = {}
        self.broken = ""

    async def build(self, name: str, context: Path, *, build_args: Mapping[str, str], repository: str) -> Image:
        assert build_args == {"PYTHON_IMAGE": "base:1", "MODULE": name, "PORT": "8000"}
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        self.folders[name] = context
        self.contexts[name] = {str(file.relative_to(context)) for file in context.rglob("*") if file.is_file()}
        if name == self.broken:
            raise CommandFailed("the build failed", status=1)
        if name != "c":  # which ends before the others
            await anyio.lowlevel.checkpoint()
        self.at_work -= 1
        self.built.append(name)
        return Image(name, repository, f"sha256:{name}")


class Rig:
    def __init__(self, folder: Path) -> None:
        self.root, self.wheels = folder / "tree", folder / "cache"
        self.staging = folder / "staging"
        self.builder = FakeBuilder()
        write(self.wheels, {"backend.lock/x-1.whl": "x", "backend.lock/y-1.whl": "y", "build.lock/hatch-1.whl": "h",
                            "build.lock/y-1.whl": "y", "build.lock/component.json": ""})  # fmt: skip

    async def wheelhouse(self, lock: Path) -> Path:
        return self.wheels / ("build.lock" if lock.name == "build-requirements.lock" else "backend.lock")

    async def source(self, *names: str) -> Source:
        return await resolve_source(tree(self.root, *names))

    async def build(self, source: Source) -> Images:
        return await build_images(
            source, builder=self.builder, wheelhouse=self.wheelhouse, staging=self.staging, base="base:1",
            registry="localhost:5001",
        )  # fmt: skip


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_a_context_holds_what_the_readme_promises_and_nothing_else(rig: Rig) -> None:
    source = await rig.source("backend")
    write(rig.root / "services", {
        "backend/tests/test_x.py": "", "backend/src/backend/__pycache__/x.pyc": "", "backend/.venv/bin/python": "",
        "backend/backend.egg-info/PKG-INFO": "", "servicekit/src/servicekit/__pycache__/x.pyc": "",
        "backend/src/backend/tests/kept.py": "",
    })  # fmt: skip
    await rig.build(source)
    assert rig.builder.contexts["backend"] == {
        "Dockerfile", "requirements.lock", "wheels/x-1.whl", "wheels/y-1.whl", "wheels/hatch-1.whl",
        "service/service.toml", "service/src/backend/__main__.py", "service/src/backend/tests/kept.py",
        "servicekit/src/servicekit/__init__.py",
    }  # fmt: skip
    context = rig.builder.folders["backend"]
    assert (context / "Dockerfile").read_text() == "FROM common"
    assert (context / "requirements.lock").read_text() == "common lock"


async def test_a_service_may_bring_its_own_dockerfile_and_lock(rig: Rig) -> None:
    source = await rig.source("backend", "own")
    write(rig.root / "services/own", {"Dockerfile": "FROM own", "requirements.lock": "own lock"})
    await rig.build(source)
    for name, expected in (("backend", "common"), ("own", "own")):
        assert (rig.builder.folders[name] / "Dockerfile").read_text() == f"FROM {expected}"
        assert (rig.builder.folders[name] / "requirements.lock").read_text() == f"{expected} lock"


async def test_the_layers_that_services_share_are_made_once_before_the_others_start(rig: Rig) -> None:
    await rig.build(await rig.source("a", "b", "c"))
    assert rig.builder.built[0] == "a", "the first one makes what the others find in the builder's cache"
    assert rig.builder.most_at_work == 2, "and the others go side by side"


async def test_wheels_are_links_not_copies(rig: Rig) -> None:
    await rig.build(await rig.source("backend"))
    wheel = rig.builder.folders["backend"] / "wheels" / "x-1.whl"
    assert wheel.samefile(rig.wheels / "backend.lock" / "x-1.whl")


async def test_a_wheel_that_both_locks_name_is_taken_once_and_the_cache_is_not_written_to(rig: Rig) -> None:
    write(rig.wheels, {"build.lock/y-1.whl": "the same, told apart for this test"})
    await rig.build(await rig.source("backend"))
    assert (rig.builder.folders["backend"] / "wheels" / "y-1.whl").read_text() == "y"
    assert (rig.wheels / "backend.lock" / "y-1.whl").read_text() == "y"


async def test_where_links_cannot_be_made_wheels_are_copied(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    source = await rig.source("backend")
    monkeypatch.setattr(os, "link", refuse)
    await rig.build(source)
    assert (rig.builder.folders["backend"] / "wheels" / "x-1.whl").read_text() == "x"


async def test_staging_again_leaves_nothing_of_the_time_before(rig: Rig) -> None:
    source = await rig.source("backend")
    write(rig.root, {"services/backend/src/backend/old.py": ""})
    await rig.build(source)
    (rig.root / "services/backend/src/backend/old.py").unlink()
    await rig.build(source)
    assert "service/src/backend/old.py" not in rig.builder.contexts["backend"]
    assert (rig.wheels / "backend.lock" / "x-1.whl").read_text() == "x", "what was linked is not harmed"


async def test_images_come_in_the_order_of_the_services(rig: Rig) -> None:
    built = await rig.build(await rig.source("a", "b", "c"))
    assert [image.reference for image in built.images] == [
        f"localhost:5001/{name}@sha256:{name}" for name in ("a", "b", "c")
    ]


async def test_a_build_that_fails_fails_the_step(rig: Rig) -> None:
    rig.builder.broken = "b"
    with pytest.raises(ExceptionGroup) as caught:
        await rig.build(await rig.source("a", "b"))
    assert caught.group_contains(CommandFailed, match="the build failed")

"""DockerBuilder: builds once for the same content, and remembers by digest."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.support import FakeEngine, failed
from tests.unit.supply.images import SOURCES, Day, File, built

from sluice.adapters.docker.builder import DockerBuilder
from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.process import Completed
from sluice.domain import Image
from sluice.errors import CommandFailed
from sluice.supply import oci

pytestmark = pytest.mark.anyio
REPOSITORY = "localhost:5001/backend"
BASE = [File("etc/os", b"Debian")]


class FakeRegistry(LocalRegistry):
    """A registry that knows what it holds, what the engine pushed on some day, and what layers it was brought."""

    held: frozenset[str] = frozenset()
    brought: tuple[str, ...] = ()
    day = Day()
    fetched = 0

    async def pushed(self, repository: str, tag: str = "latest") -> tuple[dict[str, Any], list[str]]:
        return built([BASE, SOURCES], self.day).config, ["first", "second"]

    async def fetch(self, repository: str, digest: str, target: Path) -> None:
        self.fetched += 1
        target.write_bytes(built([BASE, SOURCES], self.day).layers[["first", "second"].index(digest)])

    async def holds(self, repository: str, digest: str) -> bool:
        return f"{repository}@{digest}" in self.held

    async def push_layout(self, name: str, layout: Path, repository: str, crane: Path, tag: str = "latest") -> Image:
        self.brought = tuple(f"sha256:{path.name}" for path in oci.layout_layers(layout))
        return Image(name, repository, oci.layout_digest(layout), oci.layout_size(layout))


class Rig:
    def __init__(self, folder: Path) -> None:
        self.layers = built([BASE, SOURCES], Day()).diff_ids
        self.engine = FakeEngine(folder / "containers", {
            "image inspect": Completed(0, json.dumps(self.layers[:1]), ""),
        })  # fmt: skip
        self.registry = FakeRegistry(self.engine, "mine", 5001)
        self.work = folder / "work"
        self.builder = DockerBuilder(
            self.engine, self.registry, Path("crane"), base="python:1", work=self.work, logs=folder / "logs",
            say=lambda _: None,
        )  # fmt: skip
        self.context = folder / "context"
        self.context.mkdir()
        (self.context / "Dockerfile").write_text("FROM x")
        (self.context / "start.sh").write_text("echo hi")

    async def build(self, base: str = "python:1") -> Image:
        return await self.builder.build("backend", self.context, build_args={"BASE": base}, repository=REPOSITORY)

    async def build_and_hold(self) -> None:
        image = await self.build()
        self.registry.held = frozenset({image.reference})
        self.engine.calls.clear()

    def builds(self) -> int:
        return len(self.engine.called("build"))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_an_image_is_built_without_network_pushed_and_known_by_digest(rig: Rig) -> None:
    image = await rig.build()
    assert (image.name, image.repository) == ("backend", REPOSITORY)
    assert image.digest.startswith("sha256:")
    assert image.size_bytes > 0
    [build] = rig.engine.called("build")
    words = " ".join(build)
    assert "--network none" in words
    assert "--build-arg BASE=python:1" in words
    assert "--label dev.sluice.owner=sluice" in words
    assert f"--tag {REPOSITORY}:latest" in words
    assert build[-1] == str(rig.context)
    assert rig.engine.called("push") == [("push", f"{REPOSITORY}:latest")]
    assert list((rig.work / ".building").iterdir()) == []


async def test_a_build_that_is_to_prove_something_keeps_nothing_of_the_engines(rig: Rig) -> None:
    fresh = DockerBuilder(
        rig.engine, rig.registry, Path("crane"), base="python:1", work=rig.work, logs=rig.work / "logs",
        say=lambda _: None, cached=False,
    )  # fmt: skip
    await fresh.build("backend", rig.context, build_args={}, repository=REPOSITORY)
    await rig.build()
    assert ["--no-cache" in build for build in rig.engine.called("build")] == [True, False]


async def test_the_layers_of_the_base_are_brought_as_they_are_and_shared(rig: Rig) -> None:
    await rig.build()
    assert rig.registry.brought[0] == rig.layers[0]
    assert rig.registry.brought[1] != rig.layers[1]
    assert rig.engine.called("image", "inspect")[0][-1] == "python:1"


async def test_the_day_it_was_built_on_is_not_in_its_digest(rig: Rig) -> None:
    rig.engine.answers["image inspect"] = Completed(0, "[]", "")
    first = await rig.build()
    rig.registry.day = Day(time=1_900_000_000, created="2030-01-01T00:00:00Z", owner="other")
    second = await rig.build()
    assert rig.builds() == 2
    assert second == first


async def test_a_layer_that_did_not_change_does_not_travel_back(rig: Rig) -> None:
    await rig.build()
    assert rig.registry.fetched == 2
    (rig.context / "start.sh").write_text("echo ho")
    await rig.build()
    assert rig.registry.fetched == 2


async def test_what_a_killed_build_left_is_no_hindrance(rig: Rig) -> None:
    left = rig.work / ".building" / "localhost:5001_backend" / "layer"
    left.parent.mkdir(parents=True)
    left.write_text("half a lay")
    await rig.build()
    assert not left.exists()


async def test_the_same_content_is_not_built_again(rig: Rig) -> None:
    await rig.build_and_hold()
    assert (await rig.build()).reference in rig.registry.held
    assert rig.engine.calls == []


async def test_content_arguments_and_who_may_run_it_make_another_image(rig: Rig) -> None:
    await rig.build_and_hold()
    await rig.build("python:2")
    assert rig.builds() == 1
    (rig.context / "start.sh").chmod(0o755)
    await rig.build()
    assert rig.builds() == 2
    (rig.context / "start.sh").write_text("echo ho")
    await rig.build()
    assert rig.builds() == 3
    (rig.context / "start.sh").rename(rig.context / "begin.sh")
    await rig.build()
    assert rig.builds() == 4


async def test_what_the_registry_lost_is_built_again(rig: Rig) -> None:
    await rig.build_and_hold()
    rig.registry.held = frozenset()
    await rig.build()
    assert rig.builds() == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "backend"}', '{"other": 1}'])
async def test_a_broken_record_is_no_record(rig: Rig, content: str) -> None:
    await rig.build_and_hold()
    [record] = rig.work.rglob("*.json")
    record.write_text(content)
    await rig.build()
    assert rig.builds() == 1


async def test_a_build_that_fails_leaves_no_record(rig: Rig) -> None:
    rig.engine.answers["build"] = failed("no such instruction: FORM")
    with pytest.raises(CommandFailed, match="build failed"):
        await rig.build()
    assert list(rig.work.rglob("*.json")) == []

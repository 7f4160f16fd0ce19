"""DockerBuilder: builds once for the same content, and remembers by digest."""

from pathlib import Path

import pytest
from tests.unit.core.support import FakeEngine, failed

from sluice.adapters.docker.builder import DockerBuilder
from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.process import Completed
from sluice.domain import Image
from sluice.errors import CommandFailed

pytestmark = pytest.mark.anyio
DIGEST = "sha256:" + "a" * 64
REPOSITORY = "localhost:5001/backend"


class FakeRegistry(LocalRegistry):
    """A registry that knows what it holds."""

    held: frozenset[str] = frozenset()

    async def holds(self, repository: str, digest: str) -> bool:
        return f"{repository}@{digest}" in self.held


class Rig:
    def __init__(self, folder: Path) -> None:
        self.engine = FakeEngine(folder / "containers", {
            "push": Completed(0, f"latest: digest: {DIGEST} size: 1234", ""),
            "image inspect": Completed(0, "42\n", ""),
        })  # fmt: skip
        self.registry = FakeRegistry(self.engine, "mine", 5001)
        self.records = folder / "records"
        self.builder = DockerBuilder(self.engine, self.registry, self.records, folder / "logs", lambda _: None)
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
    assert await rig.build() == Image("backend", REPOSITORY, DIGEST, 42)
    [build] = rig.engine.called("build")
    words = " ".join(build)
    assert "--network none" in words
    assert "--build-arg BASE=python:1" in words
    assert "--label dev.sluice.owner=sluice" in words
    assert f"--tag {REPOSITORY}:latest" in words
    assert build[-1] == str(rig.context)
    assert rig.engine.called("push") == [("push", f"{REPOSITORY}:latest")]


async def test_the_same_content_is_not_built_again(rig: Rig) -> None:
    await rig.build_and_hold()
    assert await rig.build() == Image("backend", REPOSITORY, DIGEST, 42)
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
    [record] = rig.records.rglob("*.json")
    record.write_text(content)
    await rig.build()
    assert rig.builds() == 1


async def test_a_build_that_fails_leaves_no_record(rig: Rig) -> None:
    rig.engine.answers["build"] = failed("no such instruction: FORM")
    with pytest.raises(CommandFailed, match="build failed"):
        await rig.build()
    assert list(rig.records.rglob("*.json")) == []


async def test_a_push_without_a_digest_is_a_failure(rig: Rig) -> None:
    rig.engine.answers["push"] = Completed(0, "Pushed", "Pushed")
    with pytest.raises(CommandFailed, match="gave no digest"):
        await rig.build()
    assert list(rig.records.rglob("*.json")) == []

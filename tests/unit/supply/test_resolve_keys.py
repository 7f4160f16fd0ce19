"""What a component's key is over, and builds that need an engine."""

from pathlib import Path

import anyio
import pytest
from tests.unit.supply.benches import Bench, go_entry

from sluice.adapters.docker.engine import Engine
from sluice.supply import debian, go
from sluice.supply.catalog import Entry
from sluice.supply.workbench import Workbench

pytestmark = pytest.mark.anyio


async def key_changes(rig: Bench, name: str) -> bool:
    """Whether the next run obtains it anew."""
    before = len(rig.built)
    await rig.supply("source").get(name)
    return len(rig.built) > before


async def test_the_key_is_over_everything_that_a_program_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Bench(tmp_path, monkeypatch, go_entry("own"))
    rig.monkeypatch.setattr(go, "_HERE", tmp_path)
    module = tmp_path / "gosrc" / "pause"
    module.mkdir(parents=True)
    for name in ("go.mod", "go.sum", "main.go"):
        (module / name).write_text("1")
    assert await key_changes(rig, "own")
    assert not await key_changes(rig, "own")
    (module / "main_test.go").write_text("a test is no part of it")
    assert not await key_changes(rig, "own")
    for name in ("go.sum", "go.mod", "main.go"):
        (module / name).write_text("2")
        assert await key_changes(rig, "own"), name
    rig.toolchain = "go2"
    assert await key_changes(rig, "own")
    text = go_entry("own").replace('module = "pause", package = "."', 'module = "pause", package = "./x"')
    again = Bench(rig.folder, rig.monkeypatch, text)
    again.toolchain = "go2"
    assert await key_changes(again, "own")


async def test_a_new_option_of_recipes_leaves_the_keys_of_others_as_they_always_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go, "_HERE", tmp_path)
    module = tmp_path / "gosrc" / "pause"
    module.mkdir(parents=True)
    for name in ("go.mod", "go.sum", "main.go"):
        (module / name).write_text("1")

    async def key(tags: str = "") -> str:
        text = go_entry("own").replace('package = "."', f'package = "."{tags}')
        made = await Bench(tmp_path, monkeypatch, text).supply("source").get("own")
        return Path(made.path).parent.name

    # A key as it was before there were tags: another one here builds every Go component of every host again.
    assert await key() == "aee466b368231eec"
    assert len({await key(), await key(', tags = ["a"]'), await key(', tags = ["a", "b"]')}) == 3


IMAGES = """
[[component]]
name = "capped-runc"
version = "1"
form = "program"
source = { recipe = "go", module = "pause", package = "." }
""" + "".join(
    f"""
[[component]]
name = "{name}"
version = "1"
form = "base"
source = {{ recipe = "debian", folder = "{name}", base = "debian" }}
"""
    for name in ("registry", "python", "postgresql")
) + """
[[component]]
name = "debian"
version = "12"
form = "base"
source = { recipe = "debootstrap", suite = "bookworm" }
"""  # fmt: skip


class ImageBench(Bench):
    """A bench whose images start from a Debian of one word, with an engine that needs capped-runc."""

    base = "debian 1"

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, monkeypatch, IMAGES)
        monkeypatch.setattr(debian, "bootstrap", self._bootstrap)
        monkeypatch.setattr(debian, "build_image", self._image)
        monkeypatch.setattr(debian, "IMAGES", folder / "images")
        for name in ("registry", "python", "postgresql"):
            (folder / "images" / name).mkdir(parents=True, exist_ok=True)
            (folder / "images" / name / "Dockerfile").write_text("FROM x")

    async def _bootstrap(self, one: Entry, recipe: object, into: Path, bench: Workbench) -> None:
        (into / "image.tar").write_text(self.base)

    async def _image(self, one: Entry, recipe: object, into: Path, bench: Workbench) -> None:
        await bench.engine()
        await self._build(one, recipe, into, bench)

    async def engine(self) -> Engine:
        await self.made.get("capped-runc")
        return await super().engine()


@pytest.mark.parametrize("parallel", [1, 2])
async def test_an_engine_that_needs_a_component_itself_does_not_lock_the_builds_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: int
) -> None:
    rig = ImageBench(tmp_path, monkeypatch)
    with anyio.fail_after(20):
        await rig.supply("source", parallel=parallel).get_all("registry", "python", "postgresql")
    assert "capped-runc" in rig.built


async def test_an_image_is_built_anew_when_its_files_or_its_base_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = ImageBench(tmp_path, monkeypatch)
    assert await key_changes(rig, "registry")
    assert not await key_changes(rig, "registry")
    (tmp_path / "images/registry/Dockerfile").write_text("FROM y")
    assert await key_changes(rig, "registry")
    rig.base = "debian 2"
    (next((rig.cache.root / "supply/debian").glob("*/component.json"))).unlink()
    assert await key_changes(rig, "registry")

"""`supply --offline DIR`: what is obtained for the folder, and which folder is left alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sluice.adapters.dagger_engine.offline import lay_out
from sluice.domain import Component
from sluice.entrypoints import offline_folder
from sluice.errors import HostError
from sluice.steps.resolve_source import BUILD_LOCK

pytestmark = pytest.mark.anyio


def component(cache: Path, name: str) -> Component:
    return Component(name, "1", "source", "sha256:1", str(cache / "supply" / name / "key" / "artifact"), 1, 1.0)


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def wheels(lock: Path, **_: object) -> Path:
        return lock.with_suffix(".wheels")

    async def lay_out(target: Path, **given: Any) -> Path:
        found.update(given, target=target)
        return target

    monkeypatch.setattr(offline_folder, "wheelhouse", wheels)
    monkeypatch.setattr(offline_folder, "lay_out", lay_out)
    return found


async def test_it_holds_the_wheels_of_every_lock_in_use(tmp_path: Path, laid_out: dict[str, Any]) -> None:
    root = tmp_path / "tree"
    for folder in ("services/backend", "services/sync"):
        (root / folder).mkdir(parents=True)
    (root / "services" / "sync" / "requirements.lock").touch()
    services = [SimpleNamespace(folder=f"services/{name}") for name in ("backend", "sync")]
    asked = []

    async def get(name: str) -> Component:
        asked.append(name)
        return component(tmp_path, name)

    async def resolve_source() -> object:
        return SimpleNamespace(services=services)

    box: Any = SimpleNamespace(root=root, supply=SimpleNamespace(get=get, cache=None), resolve_source=resolve_source)
    run: Any = SimpleNamespace(logs=tmp_path)
    progress: Any = None
    await offline_folder.lay_out_offline(box, run, progress, tmp_path / "offline")
    assert asked == ["toolbox"], "the one component that no other command obtains"
    assert laid_out["supply"] == tmp_path / "supply"
    assert laid_out["wheels"] == root / "requirements" / "sluice.wheels"
    names = [f"services/{name}" for name in (BUILD_LOCK, "requirements.lock", "sync/requirements.lock")]
    assert laid_out["also"] == [(root / name).with_suffix(".wheels") for name in names]


@pytest.mark.parametrize("what", ["a folder of somebody", "a file"])
async def test_a_folder_that_holds_something_else_is_not_removed(tmp_path: Path, what: str) -> None:
    target = tmp_path / "home"
    kept = target if what == "a file" else target / "thesis.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("years of work")
    with pytest.raises(HostError, match="would be removed"):
        await lay_out(target, toolbox=component(tmp_path, "toolbox"), wheels=tmp_path, supply=tmp_path)
    assert kept.read_text() == "years of work"


def test_it_is_told_where_either_program_is_told_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = offline_folder.how_to_use(tmp_path / ".sluice" / "offline")
    assert "SLUICE_OFFLINE=.sluice/offline in .env" in said
    assert "SLUICE_RUN_OFFLINE=.sluice/offline" in said

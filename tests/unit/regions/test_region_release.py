"""note_release, release_of, and the way to a region: the same release has one digest, and is noted once."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.unit.core.support import FakeProgress

from sluice import region_release
from sluice.domain import Image
from sluice.errors import ClusterError
from sluice.promotion.ledger import Entry, append, verified
from sluice.region_release import forget_ledger, note_release, release_of
from sluice.region_tools import RegionTools
from sluice.run import Run
from sluice.settings import Settings

pytestmark = pytest.mark.anyio
A, B = Image("a", "r/a", "sha256:1"), Image("b", "r/b", "sha256:2")


class Ledger:
    """A ledger in memory; `dies_after` ends a run in the middle of a promotion."""

    entries: tuple[Entry, ...] = ()
    dies_after = 0

    def __init__(self, _client: Any, _namespace: str, target: str, _copy: Path) -> None:
        self.target = target

    async def read(self) -> tuple[Entry, ...]:
        return Ledger.entries

    async def append(self, **given: Any) -> None:
        entry = Entry(0, given.pop("at"), self.target, **given)
        Ledger.entries = append(Ledger.entries, entry)
        if len(Ledger.entries) == Ledger.dies_after:
            raise RuntimeError("killed")


@pytest.fixture
def note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    monkeypatch.setattr(region_release, "TargetLedger", Ledger)
    monkeypatch.setattr(Ledger, "entries", ())
    monkeypatch.setattr(Ledger, "dies_after", 0)

    async def noted(release: str, run: str) -> None:
        async with httpx.AsyncClient() as client:
            await note_release(
                client, "shop", "west", tmp_path / "x", release=release, revision="0123456789abcdef", run=run
            )

    return noted


async def test_a_release_is_noted_once_and_another_after_it(note: Callable[..., Any]) -> None:
    for release, run in (("sha256:1", "r1"), ("sha256:1", "r2"), ("sha256:2", "r3")):
        await note(release, run)
    assert [(one.promotion, one.state) for one in Ledger.entries] == [
        (f"{run}-west", state) for run in ("r1", "r3") for state in ("planned", "copied", "deployed", "verified")
    ]
    assert {one.target for one in Ledger.entries} == {"region-west"}


async def test_one_that_was_killed_is_ended_and_begun_anew(note: Callable[..., Any]) -> None:
    Ledger.dies_after = 2
    with pytest.raises(RuntimeError):
        await note("sha256:1", "r1")
    assert verified(Ledger.entries) is None
    await note("sha256:1", "r2")
    assert [one.state for one in Ledger.entries[2:4]] == ["failed", "planned"]
    last = verified(Ledger.entries)
    assert last
    assert last.release == "sha256:1"


def test_the_digest_is_of_images_charts_and_fixtures(tmp_path: Path) -> None:
    for folder in ("helm", "k8s-fixtures"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text("one")
    first = release_of(tmp_path, [A, B])
    assert release_of(tmp_path, [B, A, A]) == first
    others = [release_of(tmp_path, [A])]
    for folder in ("helm", "k8s-fixtures"):
        (tmp_path / folder / "x").write_text("another")
        others.append(release_of(tmp_path, [A, B]))
    assert len({first, *others}) == 4


def test_what_was_known_of_a_cluster_that_is_gone_stays_under_another_name(tmp_path: Path) -> None:
    copy = tmp_path / "region-west.jsonl"
    forget_ledger(copy)
    copy.write_text("entries")
    forget_ledger(copy)
    assert [path.name for path in tmp_path.iterdir()] == ["region-west.before"]


def tools(home: Path, box: Any) -> RegionTools:
    settings = Settings.model_validate({"run": {"cache": str(home / "cache")}, "cluster": {"name": "mine"}})
    return RegionTools(home, settings, Run(home, FakeProgress()), box)


async def test_a_region_that_is_not_on_this_host_is_said_to(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no region west on this host"):
        async with tools(tmp_path, None).reached("west", None):  # type: ignore[arg-type]
            pass


async def test_only_a_node_of_ours_is_killed(tmp_path: Path) -> None:
    killed: list[tuple[str, ...]] = []

    async def docker(*words: str) -> None:
        killed.append(words)

    async def engine() -> Any:
        return SimpleNamespace(docker=docker)

    async def not_ours() -> bool:
        raise ClusterError("a kind cluster named mine-east exists that Sluice did not make")

    async def ours() -> bool:
        return True

    for owned in (not_ours, ours):

        async def provider(name: str, owned: Any = owned) -> Any:
            return SimpleNamespace(node=f"{name}-control-plane", owned=owned)

        box = SimpleNamespace(provider=provider, engine=engine)
        if owned is not_ours:
            with pytest.raises(ClusterError):
                await tools(tmp_path / owned.__name__, box).kill("east")
            assert killed == []
        else:
            await tools(tmp_path / owned.__name__, box).kill("east")
    assert killed == [("kill", "mine-east-control-plane")]

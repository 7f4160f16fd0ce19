"""A target that asks for a score of readiness takes another release only with one that is high and young enough."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.promotion.proven import VERDICT, files_of, release_of
from tests.unit.promotion.worlds import LOCAL, World, make_world

from sluice.errors import PromotionRefused, TargetError
from sluice.promotion.checks import Known, Ready, reasons_against
from sluice.promotion.model import Required, Target
from sluice.promotion.readiness_file import file_of
from sluice.promotion.targets import load_targets

RELEASE = release_of(files_of())
NOW, DAY = 1_800_000_000.0, 86_400.0
ASKING = replace(LOCAL, readiness=Required(80.0, 7.0))


def against(target: Target, ready: Ready | None, *, first: bool = False, only_way_out: bool = False) -> list[str]:
    known = Known(at=NOW, digest="sha256:1", ready=ready, first=first, only_way_out=only_way_out)
    return reasons_against(target, RELEASE, VERDICT, known)


@pytest.mark.parametrize(
    ("ready", "said"),
    [
        (Ready(80.0, NOW), ""),
        (Ready(100.0, NOW - 7 * DAY), ""),
        (Ready(79.9, NOW), "its readiness is 79.9 points, and 80 are needed: ./nox -s readiness -- --target local"),
        (Ready(100.0, NOW - 7.5 * DAY), "its readiness was looked at 7.5 days ago, and may be 7 old"),
        (Ready(100.0, NOW + DAY), "its readiness was looked at -1.0 days ago"),
        (Ready(float("nan"), NOW), "its readiness is nan points"),
        (None, "its readiness is not known, and 80 points are needed"),
    ],
)
def test_a_score_has_to_be_high_and_young_enough(ready: Ready | None, said: str) -> None:
    found = against(ASKING, ready)
    assert len(found) == bool(said)
    assert all(said in one for one in found)


def test_none_is_needed_where_none_is_asked_for_nor_for_the_first_release() -> None:
    assert against(LOCAL, None) == []
    assert against(ASKING, None, first=True) == []
    assert against(ASKING, None, only_way_out=True) == []


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = make_world(tmp_path, monkeypatch)
    made.targets["local"] = ASKING
    return made


@pytest.mark.anyio
async def test_a_deploy_reads_the_last_score_of_this_host(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.deploying.time.time", lambda: NOW)
    await world.deploy("A")
    assert world.states[-1] == ("A", "verified"), "the first release needs no score: nothing runs yet"
    with pytest.raises(PromotionRefused, match="readiness is not known"):
        await world.deploy("B")
    file_of(world.root, "local").parent.mkdir()
    given = {"schema": "sluice.readiness/v1", "target": "local", "score": 79.0, "at": NOW - DAY}
    file_of(world.root, "local").write_text(json.dumps(given))
    assert any("79 points" in one for one in (await world.deploy("B", dry_run=True)).against)
    file_of(world.root, "local").write_text(json.dumps({**given, "score": 81.0}))
    await world.deploy("B")
    assert world.states[-1] == ("B", "verified")


@pytest.mark.anyio
async def test_no_score_stands_in_the_way_back(world: World) -> None:
    world.had("A").had("B")
    await world.rollback()
    assert world.states[-1] == ("A", "verified")


def test_what_a_target_asks_for_is_held_to_its_bounds(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "prod.toml").write_text(
        'schema = "sluice.target/v1"\ncloud = "gke"\nregistry = { repository = "r.acme.org/x" }\n'
        'cluster = { context = "acme" }\n[readiness]\nscore = 101\ndays = 0\nmore = 1\n'
    )
    with pytest.raises(TargetError) as caught:
        load_targets(tmp_path)
    assert [mistake.split(": ")[1] for mistake in caught.value.mistakes] == ["line 6", "line 7", "line 8"]

"""How each component is obtained: upstream or source, once, and again only when something it is made of changed."""

import itertools
import json
import shutil
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from tests.unit.supply.benches import Bench, digest, go_entry

from sluice.errors import CommandFailed, DigestMismatch, SupplyError, Unreachable
from sluice.supply import go
from sluice.supply.catalog import Entry

pytestmark = pytest.mark.anyio


CATALOG = (
    go_entry("own")
    + "".join(go_entry(name, f"https://one.org/{name}") for name in ("helm", "kind", "crane"))
    + go_entry("other", "https://two.org/x")
    + """
[[component]]
name = "alias"
version = "1"
form = "program"
source = { recipe = "link", of = "own" }

[[component]]
name = "grafana"
version = "1"
form = "image"
optional = true
upstream = { image = "three.org/grafana:1" }
"""
)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch, CATALOG)


async def test_what_upstream_gives_is_fetched(rig: Bench) -> None:
    rig.answering = {"one.org"}
    made = await rig.supply().get("helm")
    assert (made.how, made.digest) == ("upstream", digest("helm"))
    assert (rig.fetched, rig.built) == (["helm"], [])


async def test_what_upstream_does_not_give_is_built_and_said_once_a_host(rig: Bench) -> None:
    supply = rig.supply()
    made = await supply.get_all("helm", "kind", "crane", "other", "own")
    assert [component.how for component in made] == ["source"] * 5
    assert sorted(rig.asked) == ["one.org", "two.org"]
    assert sorted(rig.said()) == [
        f"{host} does not answer: what lies there is built from source" for host in ("one.org", "two.org")
    ]


async def test_hosts_are_asked_side_by_side(rig: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    both = anyio.Event()

    async def answers(entry: Entry) -> bool:
        asked.add(entry.name)
        if len(asked) == 2:
            both.set()
        await both.wait()
        return False

    monkeypatch.setattr("sluice.supply.upstream.answers", answers)
    with anyio.fail_after(20):
        await rig.supply().get_all("helm", "other")


async def test_source_mode_asks_nobody(rig: Bench) -> None:
    rig.answering = {"one.org"}
    assert (await rig.supply("source").get("helm")).how == "source"
    assert rig.asked == []


async def test_upstream_mode_builds_only_what_upstream_does_not_offer(rig: Bench) -> None:
    supply = rig.supply("upstream")
    assert (await supply.get("helm")).how == "upstream"
    assert (await supply.get("own")).how == "source"
    assert rig.asked == []


async def test_upstream_mode_does_not_fall_back(rig: Bench) -> None:
    rig.broken["helm"] = Unreachable("one.org is away")
    with pytest.raises(Unreachable):
        await rig.supply("upstream").get("helm")
    assert rig.built == []


async def test_a_host_that_answers_and_does_not_give_is_fallen_back_from(rig: Bench) -> None:
    rig.answering = {"one.org"}

    async def not_now(*_: object) -> str:
        raise Unreachable("helm: https://one.org/helm is not to be had now", seen="HTTP 429")

    rig.monkeypatch.setattr("sluice.supply.upstream.obtain", not_now)
    supply = rig.supply()
    assert (await supply.get("helm")).how == "source"
    assert (await supply.get("kind")).how == "source"
    assert rig.said() == ["helm: https://one.org/helm is not to be had now: what lies there is built from source"], (
        "the host is not tried again"
    )


async def test_what_is_wrong_is_never_fallen_back_from(rig: Bench) -> None:
    rig.answering = {"one.org"}
    rig.broken["helm"] = DigestMismatch("helm is another")
    with pytest.raises(DigestMismatch):
        await rig.supply().get("helm")
    assert rig.built == []


async def test_an_optional_component_out_of_reach_is_left_out(rig: Bench) -> None:
    assert await rig.supply().get_optional("grafana") is None
    assert await rig.supply("source").get_optional("grafana") is None
    with pytest.raises(SupplyError, match="can only be had upstream"):
        await rig.supply().get("grafana")


async def test_an_optional_component_in_reach_is_had(rig: Bench) -> None:
    rig.answering = {"three.org"}
    rig.monkeypatch.setattr("sluice.supply.resolve.oci.layout_digest", lambda _: "sha256:g")
    found = await rig.supply().get_optional("grafana")
    assert found is not None
    assert found.how == "upstream"
    assert "crane" in rig.built, "images are pulled with crane"


async def test_an_optional_component_whose_host_answers_but_does_not_give_is_left_out(rig: Bench) -> None:
    rig.answering = {"three.org"}
    rig.broken["grafana"] = Unreachable("no")
    assert await rig.supply().get_optional("grafana") is None


async def test_each_is_obtained_once_however_many_ask(rig: Bench) -> None:
    supply = rig.supply("source")
    async with anyio.create_task_group() as group:
        for name in ("own", "own", "alias", "helm", "helm", "alias"):
            group.start_soon(supply.get, name)
    assert sorted(rig.built) == ["helm", "own"]
    assert [component.name for component in supply.obtained] == ["own", "helm", "alias"]
    assert not any(component.cached for component in supply.obtained), "who comes second waits for the first"


@pytest.mark.parametrize("parallel", [1, 2, 3])
async def test_no_more_are_made_at_once_than_allowed(
    rig: Bench, parallel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = itertools.count()
    monkeypatch.setattr("sluice.supply.resolve.family_of", lambda _: str(next(each)))
    await rig.supply("source", parallel=parallel).get_all("own", "helm", "kind", "crane", "other")
    assert rig.most_at_once == parallel


async def test_programs_of_one_family_are_compiled_one_after_the_other(rig: Bench) -> None:
    await rig.supply("source", parallel=3).get_all("own", "helm", "kind", "crane", "other")
    assert rig.most_at_once == 1


async def test_a_second_run_finds_everything(rig: Bench) -> None:
    await rig.supply("source").get_all("own", "helm", "alias")
    rig.built.clear()
    found = await rig.supply("source").get_all("own", "helm", "alias")
    assert rig.built == []
    assert all(component.cached for component in found)
    assert rig.progress.begun == {}


async def test_an_upstream_digest_that_was_locked_anew_is_another_component(rig: Bench) -> None:
    await rig.supply("upstream").get("helm")
    assert (await rig.supply("upstream").get("helm")).cached
    (rig.folder / "lock.json").write_text(json.dumps({"https://one.org/helm": digest("newer")}))
    rig.fetched.clear()
    with pytest.raises(DigestMismatch):
        await rig.supply("upstream").get("helm")
    assert rig.fetched == ["helm"]


async def test_one_that_fails_leaves_nothing_and_is_made_by_the_next_run(rig: Bench) -> None:
    rig.broken["own"] = CommandFailed("building own failed", status=1)
    with pytest.raises(CommandFailed, match="building own failed"):
        await rig.supply("source").get("own")
    assert rig.progress.ended == [("own 1", "failed", "source")]
    assert rig.supply("source").cached() == ()
    del rig.broken["own"]
    assert (await rig.supply("source").get("own")).how == "source"


async def test_one_that_fails_fails_what_is_built_from_it(rig: Bench) -> None:
    rig.broken["own"] = CommandFailed("building own failed", status=1)
    with pytest.raises(ExceptionGroup) as caught:
        await rig.supply("source").get("alias")
    assert caught.group_contains(CommandFailed, match="building own failed")


async def test_one_that_is_stopped_is_cancelled_not_failed(rig: Bench) -> None:
    async def forever(*_: object) -> None:
        await anyio.sleep_forever()

    rig.monkeypatch.setattr(go, "build_program", forever)
    supply = rig.supply("source")
    async with anyio.create_task_group() as group:
        group.start_soon(supply.get, "own")
        with anyio.fail_after(20):
            while not rig.progress.begun:
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert rig.progress.ended == [("own 1", "cancelled", "source")]
    assert list((rig.cache.root / "supply" / "own").glob("tmp-*")) == []


async def test_the_next_run_knows_how_long_it_took(rig: Bench) -> None:
    await rig.supply("source").get("own")
    rig.toolchain = "go2"
    supply = rig.supply("source")
    await supply.get("own")
    assert rig.progress.begun == {"own 1": rig.cache.last_seconds("own")}


async def test_a_link_holds_when_the_cache_is_moved_and_its_source_forgotten(rig: Bench) -> None:
    await rig.supply("source").get("alias")
    moved = rig.folder / "moved"
    rig.cache.root.rename(moved)
    shutil.rmtree(moved / "supply" / "own")
    [link] = moved.glob("supply/alias/*/artifact/alias")
    assert link.read_text() == "program own"

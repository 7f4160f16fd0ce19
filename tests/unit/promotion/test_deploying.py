"""deploy and rollback: everything is checked before anything is done, and a dry run does nothing."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.unit.promotion.worlds import LOCAL, WAY, World, make_world

from sluice.deploying import Outcome
from sluice.errors import EvidenceError, PromotionRefused
from sluice.promoting import End
from sluice.promotion.ledger import State
from sluice.promotion.model import Freeze

pytestmark = pytest.mark.anyio
HERE = LOCAL.registry.host.partition(":")[0]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def end_of(outcome: Outcome) -> End:
    assert outcome.end is not None
    return outcome.end


async def test_without_an_id_it_is_the_newest(world: World) -> None:
    world.made = {"C": "pass", "A": "pass", "B": "pass"}
    assert end_of(await world.deploy()).release == "C"


@pytest.mark.parametrize(("made", "wanted", "seen"), [({}, "", "none"), ({"A": "pass"}, "X", "1 releases: A")])
async def test_a_release_that_there_is_not_is_told(world: World, made: dict[str, str], wanted: str, seen: str) -> None:
    world.made = made
    with pytest.raises(EvidenceError, match=f"no release {wanted or 'at all'} in source:5000/releases") as caught:
        await world.deploy(wanted)
    assert (caught.value.seen, caught.value.next_command) == (seen, "./nox -s release")
    assert world.does == []


def forbid(world: World) -> list[str]:
    """Have every kind of reason against B on the target `prod`; returns how each begins."""
    freeze = Freeze(date(1970, 1, 1), date(9999, 1, 1), "holidays")
    world.targets |= {name: replace(LOCAL, name=name) for name in ("staging", "away")}
    world.targets["prod"] = replace(
        LOCAL, name="prod", approvals=1, freezes=(freeze,), after=("staging", "away"), soak_seconds=60.0
    )
    world.made["B"] = "warn"
    world.unproven = ["api has no SBOM that cosign.pub signed"]
    world.troubles["reach away"] = ["timeout"]
    return [
        "the verdict of B is warn, score 100: too slow",
        "api has no SBOM that cosign.pub signed",
        "prod is frozen from 1970-01-01 until 9999-01-01: holidays",
        "staging comes first, and this release is not verified there",
        "away comes first, and its ledger cannot be read: the API server does not answer: timeout",
        "1 approvals are needed in release/approvals.toml for B: approved by nobody",
    ]


async def test_everything_against_it_is_told_at_once_and_nothing_is_done(world: World) -> None:
    reasons = forbid(world)
    with pytest.raises(PromotionRefused, match="B may not go to prod: 6 reasons") as caught:
        await world.deploy("B", target="prod")
    assert all(said.startswith(one) for said, one in zip(caught.value.mistakes, reasons, strict=True))
    assert caught.value.next_command == "./nox -s deploy -- --target prod --release B --dry-run"
    assert world.does == ["fetch B from source", "read prod", "read staging"]
    assert world.ledgers == {}


async def test_a_dry_run_has_the_plan_and_all_that_is_against_it(world: World) -> None:
    reasons = forbid(world)
    outcome = await world.deploy("B", target="prod", dry_run=True)
    assert (outcome.plan.target, outcome.plan.release, outcome.end) == ("prod", "B", None)
    assert all(said.startswith(one) for said, one in zip(outcome.against, reasons, strict=True))
    assert "lock" not in world.does
    assert world.ledgers == {}


async def test_a_dry_run_changes_nothing(world: World) -> None:
    before = world.had("A").entries
    assert await world.deploy("B", dry_run=True) == Outcome((await world.deploy("B", dry_run=True)).plan)
    assert world.does == ["fetch B from source"]
    assert world.entries == before


async def test_a_first_promotion_that_was_killed_is_finished_though_the_target_froze_since(world: World) -> None:
    world.targets["local"] = replace(LOCAL, freezes=(Freeze(date(1970, 1, 1), date(9999, 1, 1), "holidays"),))
    end = end_of(await world.had("B", "planned", "copied").deploy("B"))
    assert (end.state, end.resumed) == ("verified", "copied")


@pytest.mark.parametrize("had", ["A", "B"])
async def test_one_that_can_be_undone_waits_for_its_window(world: World, had: str) -> None:
    world.targets["local"] = replace(LOCAL, freezes=(Freeze(date(1970, 1, 1), date(9999, 1, 1), "holidays"),))
    world.had(*("A",) if had == "A" else ("B", "planned", "failed"))
    if had == "A":
        world.had("B", "planned", "copied")
    with pytest.raises(PromotionRefused, match="B may not go to local"):
        await world.deploy("B")


async def test_after_those_that_come_first_it_may_go(world: World) -> None:
    world.targets |= {
        "staging": replace(LOCAL, name="staging"),
        "local": replace(LOCAL, after=("staging",), soak_seconds=60.0),
    }
    world.had("B", target="staging")
    assert end_of(await world.deploy("B")).state == "verified"


@pytest.mark.parametrize("state", WAY[:3])
async def test_while_another_release_is_under_way_it_is_refused_with_both_ways_out(world: World, state: State) -> None:
    before = world.had("B", *WAY[: WAY.index(state) + 1]).entries
    with pytest.raises(PromotionRefused, match="local is in the middle of another promotion") as caught:
        await world.deploy("A")
    [reason] = caught.value.mistakes
    assert reason == f"B is {state} since 100 UTC"
    assert "finish it: ./nox -s deploy -- --target local --release B" in caught.value.next_command
    assert "undo it: ./nox -s rollback -- --target local" in caught.value.next_command
    assert (world.does[-1], world.entries, world.locked) == ("lock", before, "")
    assert (await world.deploy("A", dry_run=True)).against == (reason,)


async def test_what_ended_until_the_lock_was_ours_is_no_longer_under_way(world: World) -> None:
    world.had("A").had("B", "planned")

    async def ends() -> None:
        world.ledgers["local"] = world.entries[:4]
        world.had("B", *WAY)

    world.troubles["lock"] = [ends]
    end = end_of(await world.deploy("A"))
    assert (end.state, end.resumed) == ("verified", "")


async def test_rollback_goes_to_the_one_before_out_of_the_targets_own_registry(world: World) -> None:
    end = end_of(await world.had("A").had("B").rollback())
    assert (end.state, end.release, end.as_asked) == ("verified", "A", True)
    assert world.does == [f"fetch A from {HERE}", "lock", f"copy A from {HERE}", "deploy A", "verify A"]
    assert {one.why for one in world.entries[8:]} == {"rollback"}


async def test_rollback_goes_to_any_that_was_verified_there(world: World) -> None:
    world.made["C"] = "pass"
    assert end_of(await world.had("A").had("B").had("C").rollback("A")).release == "A"
    assert world.states[-1] == ("A", "verified")


@pytest.mark.parametrize("wanted", ["", "X", "B"])
async def test_what_was_never_verified_is_nothing_to_go_back_to(world: World, wanted: str) -> None:
    world.had("A").had("B", "planned", "failed")
    with pytest.raises(PromotionRefused, match="there is nothing to roll local back to") as caught:
        await world.rollback(wanted)
    assert caught.value.mistakes == (f"{wanted or 'an earlier release'} was never verified there",)
    assert caught.value.next_command == "./nox -s history -- --target local"
    assert world.does == []


async def test_of_an_empty_target_too(world: World) -> None:
    with pytest.raises(PromotionRefused, match="there is nothing to roll local back to"):
        await world.rollback()


@pytest.mark.parametrize("state", WAY[:3])
async def test_rollback_undoes_a_half_promotion(world: World, state: State) -> None:
    end = end_of(await world.had("A").had("B", *WAY[: WAY.index(state) + 1]).rollback())
    assert (end.state, end.restored, end.resumed, end.as_asked) == ("rolled-back", "A", state, True)
    assert world.states[-1] == ("B", "rolled-back")
    assert world.entries[-1].promotion == world.entries[-2].promotion
    assert [one for one in world.does if one != "gather"][-2:] == ["deploy A", "verify A"]
    assert world.kept == [False], "who knows what was done to it since"


async def test_an_undo_that_fails_is_not_as_asked(world: World) -> None:
    world.had("A").had("B", "planned").troubles["verify A"] = ["no"]
    end = end_of(await world.rollback())
    assert (end.state, end.reasons, end.as_asked) == ("failed", ("undone by hand", "no"), False)


async def test_of_a_first_promotion_that_was_killed_it_tells_how_to_end_it(world: World) -> None:
    with pytest.raises(PromotionRefused) as caught:
        await world.had("B", "planned", "copied").rollback()
    assert caught.value.next_command == "finish it: ./nox -s deploy -- --target local --release B"


async def test_a_half_rollback_that_a_deploy_ends_stays_one(world: World) -> None:
    world.had("A").had("B").had("A", "planned", why="rollback")
    end = end_of(await world.deploy("A"))
    assert (end.state, end.resumed) == ("verified", "planned")
    assert {one.why for one in world.entries[8:]} == {"rollback"}


async def test_rollback_to_another_while_one_is_under_way_is_refused(world: World) -> None:
    world.made["C"] = "pass"
    before = world.had("A").had("B").had("C", "planned").entries
    with pytest.raises(PromotionRefused, match="in the middle of another promotion"):
        await world.rollback("A")
    assert world.entries == before
    assert (await world.rollback("A", dry_run=True)).against == ("C is planned since 100 UTC",)


@pytest.mark.parametrize("half", [("planned", "copied"), ()])
async def test_what_ended_until_the_lock_was_ours_is_not_undone(world: World, half: tuple[State, ...]) -> None:
    world.made["C"] = "pass"
    world.had("A").had("B")
    whole = World(world.root, ledgers=dict(world.ledgers)).had("C").entries
    world.ledgers["local"] = whole[: 8 + len(half)]

    async def ends() -> None:
        world.ledgers["local"] = whole

    world.troubles["lock"] = [ends]
    with pytest.raises(PromotionRefused, match="came to its end meanwhile") as caught:
        await world.rollback()
    assert caught.value.mistakes == ("it would now go back to B",)
    assert (world.does[-1], world.entries) == ("lock", whole)


async def test_a_dry_run_of_a_rollback_changes_nothing(world: World) -> None:
    before = world.had("A").had("B").entries
    outcome = await world.rollback(dry_run=True)
    assert (outcome.plan.release, outcome.plan.now, outcome.against, outcome.end) == ("A", "B", (), None)
    assert world.does == [f"fetch A from {HERE}"]
    assert world.entries == before

"""A promotion: from state to state, back where something fails, and on from wherever it was killed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from tests.unit.promotion.worlds import LOCAL, WAY, World, make_world

from sluice.deploying import Outcome
from sluice.domain import SuiteTable, load
from sluice.errors import ClusterError, CommandFailed, NotReady, SloError, SluiceError
from sluice.promoting import End
from sluice.promotion.ledger import State

pytestmark = pytest.mark.anyio
COPY, DEPLOY, VERIFY = "copy B from source", "deploy B", "verify B"
STEPS = {COPY: "copy images", DEPLOY: "deploy", VERIFY: "verify"}
BACK = [f"fetch A from {LOCAL.registry.host.partition(':')[0]}", "deploy A", "verify A"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def end_of(outcome: Outcome) -> End:
    assert outcome.end is not None
    return outcome.end


def refused(failed: str = "it was refused") -> SluiceError:
    return CommandFailed(failed, status=1, seen="503")


async def test_a_first_deploy_goes_from_state_to_state_and_is_verified(world: World) -> None:
    end = end_of(await world.deploy("B"))
    assert (end.state, end.release, end.resumed, end.as_asked) == ("verified", "B", "", True)
    assert world.states == [("B", state) for state in WAY]
    assert world.does == ["fetch B from source", "lock", COPY, DEPLOY, VERIFY]
    assert {(one.promotion, one.who, one.why) for one in world.entries} == {(world.run.id, "Ada", "deploy")}
    assert world.locked == ""


async def test_what_cannot_be_copied_leaves_everything_as_it_was(world: World) -> None:
    world.had("A").troubles[COPY] = [refused()]
    end = end_of(await world.deploy("B"))
    assert (end.state, end.as_asked) == ("failed", False)
    assert end.reasons == ("copy images: it was refused: 503",)
    assert world.states[4:] == [("B", "planned"), ("B", "failed")]
    assert world.does[-1] == COPY
    assert end_of(await world.deploy("B")).state == "verified", "it is a promotion of its own"
    assert world.entries[-1].promotion != world.entries[-5].promotion


@pytest.mark.parametrize(
    ("what", "trouble", "reason"),
    [
        (DEPLOY, ExceptionGroup("charts", [refused("helm failed")]), "deploy: helm failed: 503"),
        (DEPLOY, NotReady("no rollout", seen="a crash"), "deploy: no rollout: a crash"),
        (VERIFY, "test_health failed: 500", "test_health failed: 500"),
        (VERIFY, ClusterError("no answer", seen="timeout"), "no answer: timeout"),
        (VERIFY, ExceptionGroup("asked", [ClusterError("no answer", seen="timeout")]), "no answer: timeout"),
    ],
)
async def test_what_fails_goes_back_to_what_was_verified_last(
    world: World, what: str, trouble: Exception | str, reason: str
) -> None:
    world.had("A").troubles[what] = [trouble]
    end = end_of(await world.deploy("B"))
    assert (end.state, end.restored, end.reasons) == ("rolled-back", "A", (reason,))
    assert not end.as_asked
    assert world.states[-1] == ("B", "rolled-back")
    assert [one for one in world.does if one != "gather"][-len(BACK) :] == BACK
    assert world.entries[-1].detail.startswith(f"{reason}; back to A, verified after ")
    assert world.kept == [False, True], "what does not differ was put there a moment ago"


async def test_the_seconds_are_from_the_failed_check_to_verified_and_gathering_does_not_count(world: World) -> None:
    seen = anyio.Event()

    async def verified() -> None:
        seen.set()

    async def gathers_for_long() -> None:
        await seen.wait()
        world.clock += 10_000

    world.had("A").troubles |= {VERIFY: ["no"], "gather": [gathers_for_long], "verify A": [verified]}
    world.seconds = {DEPLOY: 1000, VERIFY: 100, "deploy A": 40, "verify A": 5}
    end = end_of(await world.deploy("B"))
    assert end.restored_seconds == 45.0
    assert end.detail == "no; back to A, verified after 45 s"
    assert "gather" in world.does


@pytest.mark.parametrize(
    "trouble", [ClusterError("no answer"), ExceptionGroup("several", [ClusterError("no answer")]), KeyError("a bug")]
)
async def test_what_cannot_be_gathered_is_no_reason_not_to_go_back(world: World, trouble: Exception) -> None:
    world.had("A").troubles |= {VERIFY: ["no"], "gather": [trouble]}
    assert end_of(await world.deploy("B")).state == "rolled-back"
    assert ("gather failure", "failed") in [(one.name, one.outcome) for one in world.run.timings]


async def test_without_an_earlier_release_it_is_left_as_it_is(world: World) -> None:
    world.troubles[VERIFY] = ["no"]
    end = end_of(await world.deploy("B"))
    assert (end.state, end.detail) == ("failed", "no; no release was verified here before, so it is left as it is")
    assert world.does[-1] == VERIFY


async def test_where_only_the_same_release_was_verified_before_that_is_told(world: World) -> None:
    world.had("B").troubles[DEPLOY] = [refused()]
    end = end_of(await world.deploy("B"))
    assert end.state == "failed"
    assert end.detail.endswith("; only this very release was verified here before, so it is left as it is")


@pytest.mark.parametrize("what", BACK)
async def test_where_going_back_fails_too_both_reasons_are_told(world: World, what: str) -> None:
    world.had("A").troubles |= {VERIFY: ["no"], what: [refused()]}
    end = end_of(await world.deploy("B"))
    assert (end.state, end.reasons) == ("failed", ("no", "it was refused: 503"))
    assert end.detail == "no; going back to A failed too: it was refused: 503"
    assert world.states[-1] == ("B", "failed")


@pytest.mark.parametrize("earlier", [True, False])
async def test_of_a_long_reason_the_ledger_has_the_beginning_and_what_came_of_it(world: World, earlier: bool) -> None:
    world.troubles[VERIFY] = ["x" * 5000]
    end = end_of(await (world.had("A") if earlier else world).deploy("B"))
    assert end.reasons == ("x" * 5000,)
    assert world.entries[-1].detail == end.detail
    assert end.detail.startswith("x" * 400 + "…; ")
    assert ("back to A, verified after" if earlier else "left as it is") in end.detail


async def test_a_release_that_fails_where_it_was_verified_before_is_no_longer_gone_back_to(world: World) -> None:
    world.made["C"] = "pass"
    world.had("A").had("B").troubles |= {VERIFY: ["no"], "verify C": ["no"]}
    assert end_of(await world.deploy("B")).restored == "A"
    assert end_of(await world.deploy("C")).restored == "A", "that is what runs"


@pytest.mark.parametrize(
    ("got_to", "left"),
    [("planned", [COPY, DEPLOY, VERIFY]), ("copied", [DEPLOY, VERIFY]), ("deployed", [DEPLOY, VERIFY])],
)
async def test_one_that_was_killed_goes_on_from_there(world: World, got_to: State, left: list[str]) -> None:
    world.had("A").had("B", *WAY[: WAY.index(got_to) + 1])
    end = end_of(await world.deploy("B"))
    assert (end.state, end.resumed) == ("verified", got_to)
    assert world.does == ["fetch B from source", "lock", *left]
    assert world.states[4:] == [("B", state) for state in WAY]
    assert len({one.promotion for one in world.entries[4:]}) == 1


@pytest.mark.parametrize("got_to", WAY[:3])
async def test_one_that_was_killed_and_then_fails_tells_both(world: World, got_to: State) -> None:
    world.had("A").had("B", *WAY[: WAY.index(got_to) + 1])
    world.troubles |= {COPY: [refused()], VERIFY: ["no"]}
    end = end_of(await world.deploy("B"))
    assert (end.state, end.resumed) == ("failed" if got_to == "planned" else "rolled-back", got_to)


@pytest.mark.parametrize(("what", "state"), list(zip(STEPS, WAY, strict=False)))
async def test_a_mistake_of_ours_leaves_the_ledger_where_it_was(world: World, what: str, state: State) -> None:
    world.had("A").troubles[what] = [KeyError("a bug")]
    with pytest.raises((KeyError, ExceptionGroup)) as caught:
        await world.deploy("B")
    assert "a bug" in repr(caught.value)
    assert world.states[-1] == ("B", state)
    assert (world.run.timings[-1].name, world.run.timings[-1].outcome) == (STEPS[what], "failed")
    assert world.locked == ""
    assert end_of(await world.deploy("B")).resumed == state


def stopped_by(scope: anyio.CancelScope) -> Callable[[], Awaitable[None]]:
    async def stop() -> None:
        scope.cancel()
        await anyio.sleep_forever()

    return stop


@pytest.mark.parametrize(("what", "state"), list(zip(STEPS, WAY, strict=False)))
async def test_one_that_is_stopped_in_the_middle_stays_there_and_goes_on(world: World, what: str, state: State) -> None:
    with anyio.CancelScope() as scope:
        world.had("A").troubles[what] = [stopped_by(scope)]
        await world.deploy("B")
    assert scope.cancelled_caught
    assert world.states[-1] == ("B", state)
    assert (world.run.timings[-1].name, world.run.timings[-1].outcome) == (STEPS[what], "cancelled")
    assert (world.locked, world.does[-1]) == ("", what)
    end = end_of(await world.deploy("B"))
    assert (end.state, end.resumed) == ("verified", state)


@pytest.mark.parametrize("what", BACK)
async def test_one_that_is_stopped_while_it_goes_back_goes_back_again(world: World, what: str) -> None:
    with anyio.CancelScope() as scope:
        world.had("A").troubles |= {DEPLOY: [refused(), refused()], what: [stopped_by(scope)]}
        await world.deploy("B")
    assert scope.cancelled_caught
    assert world.states[-1] == ("B", "copied")
    end = end_of(await world.deploy("B"))
    assert (end.state, end.restored, end.resumed) == ("rolled-back", "A", "copied")


async def test_slos_that_cannot_be_read_are_told_before_anything_is_done(world: World) -> None:
    (world.root / "services" / "api").mkdir(parents=True)
    (world.root / "services" / "api" / "slo.yaml").write_text("nonsense: true\n")
    with pytest.raises(SloError):
        await world.deploy("B")
    assert world.entries == ()


async def test_only_a_deploy_tries_out_and_what_it_saw_is_kept(world: World) -> None:
    world.targets["local"] = replace(LOCAL, strategy="canary")
    world.had("A").troubles["deploy B by canary"] = [refused()]
    assert end_of(await world.deploy("B")).state == "rolled-back"
    gone = [one for one in world.does if one != "gather"][-4:]
    assert gone == [BACK[0], "end canary of api", *BACK[1:]], "of a killed run there may be one"
    table = load(SuiteTable, world.run.folder / "tables" / "canary-api.json")
    assert table.rows == (("20",),)
    end = end_of(await world.rollback("A"))
    assert (end.state, world.does[-3:]) == ("verified", ["end canary of api", "deploy A", "verify A"])

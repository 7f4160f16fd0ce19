"""Failover: refused with every reason, in order, and gone on with after a kill at every point of it."""

import gc
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.regions.pairs import SOURCE, Killed, Pair

from sluice import failing_over
from sluice.adapters.kubernetes.region import last_known
from sluice.errors import FailoverError, FailoverRefused, NotReady, RecoveryError
from sluice.failing_over import STATE, Failover, Switch
from sluice.regions import active as entry
from sluice.regions.active import Active
from sluice.regions.gate import Reasons
from sluice.regions.mirror import Lag
from sluice.regions.model import Marker

pytestmark = pytest.mark.anyio
PLANNED = [
    "east: fenced",
    "east: services 0",
    "east: server down",
    "mirror drained",
    "west: primary",
    "west: promoted",
    "west: mirror down",
    "west: services 1",
]


class Mirror:
    """What the mirror tells: `lag`, or an error; `drains` whether it comes to nothing."""

    def __init__(self, log: list[str]) -> None:
        self.log, self.lag, self.error, self.drains = log, Lag(), "", True

    async def lag_now(self, *_: Any) -> Lag:
        if self.error:
            raise RecoveryError("the Job failed", seen=self.error)
        return self.lag

    async def all_copied(self, *_: Any, **__: Any) -> None:
        if not self.drains:
            raise NotReady("the mirror has not copied everything", seen="3 not copied yet")
        self.log.append("mirror drained")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path)
    entry.write(tmp_path, Active("east", 1))
    return made


@pytest.fixture
def mirror(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    made = Mirror(pair.log)
    monkeypatch.setattr(failing_over, "mirror_lag", made.lag_now)
    monkeypatch.setattr(failing_over, "all_copied", made.all_copied)
    return made


def failover(pair: Pair, to: str = "west", *, force: bool = False) -> Failover:
    return Failover(pair, to, force=force)  # type: ignore[arg-type]


async def switched(pair: Pair, *, force: bool = False) -> Switch:
    """The whole of it, as the command does."""
    one = failover(pair, force=force)
    state = one.state()
    if not state.epoch:
        state = one.decide(await one.check(SOURCE), began=10.0)
    return await one.go(SOURCE, state)


async def test_a_planned_switch_in_its_order(pair: Pair, mirror: Mirror) -> None:
    state = await switched(pair)
    assert pair.log == PLANNED
    assert entry.read(pair.home) == Active("west", 2)
    assert (state.epoch, state.wrote, state.last_commit, state.unreachable) == (2, 100, 7.0, "")
    assert (pair.regions["east"].marked.role, pair.regions["east"].marked.epoch) == ("fenced", 2)
    assert pair.regions["west"].marked.alone, "until somebody follows it there is nobody to be asked"


POINTS = [
    ("east", "fenced"),
    ("east", "services 0"),
    ("east", "server down"),
    ("west", "primary"),
    ("west", "promoted"),
    ("west", "mirror down"),
    ("west", "services 1"),
]


@pytest.mark.parametrize(("region", "point"), POINTS, ids=[" ".join(point) for point in POINTS])
async def test_one_that_was_killed_goes_on_where_it_was(pair: Pair, mirror: Mirror, region: str, point: str) -> None:
    pair.regions[region].dies_at = point
    with pytest.raises(Killed):
        await switched(pair)
    before, folder = list(pair.log), pair.run.folder
    active = entry.read(pair.home)
    assert active == Active("east", 1, str(folder)), "nobody is led to a region that is not ready"
    pair.begin(again=release(pair))
    state = await switched(pair)
    again = pair.log[len(before) :]
    assert again == PLANNED[PLANNED.index(again[0]) :]
    assert PLANNED.index(again[0]) <= PLANNED.index(f"{region}: {point}"), "what may not have been done is done again"
    assert entry.read(pair.home) == Active("west", 2)
    assert (state.epoch, state.wrote) == (2, 100)


async def test_how_far_the_old_side_wrote_is_known_before_it_ends(pair: Pair, mirror: Mirror) -> None:
    """Another try finds no server to ask, and must not take what has arrived for all there was."""
    pair.regions["east"].dies_at = "server down"
    with pytest.raises(Killed):
        await switched(pair)
    assert json.loads((pair.run.folder / STATE).read_text())["wrote"] == 100
    pair.regions["west"].wrote = 90
    pair.begin(again=release(pair))
    one = failover(pair)
    one._limit = 0.2
    with pytest.raises(NotReady) as caught:
        await one.go(SOURCE, one.state())
    assert "90 of 100 bytes" in caught.value.seen
    assert "west: promoted" not in pair.log


async def test_it_refuses_with_every_reason_and_touches_nothing(pair: Pair, mirror: Mirror) -> None:
    west = pair.regions["west"]
    west.release_of, west.streaming, mirror.lag = "sha256:b", False, Lag({"tasks:0": 5000})
    with pytest.raises(FailoverRefused) as caught:
        await failover(pair).check(SOURCE)
    assert len(caught.value.mistakes) == 3
    assert caught.value.next_command == "./nox -s regions -- status"
    with pytest.raises(FailoverRefused):
        await failover(pair, force=True).check(SOURCE)
    assert pair.log == []
    assert entry.read(pair.home) == Active("east", 1)
    assert not (pair.run.folder / STATE).exists()


async def test_a_lag_is_overruled_by_force_and_recorded(pair: Pair, mirror: Mirror) -> None:
    mirror.lag, mirror.drains = Lag({"tasks:0": 5000}), False
    with pytest.raises(FailoverRefused) as caught:
        await failover(pair).check(SOURCE)
    assert "--force goes on without what may be lost" in caught.value.next_command
    state = await switched(pair, force=True)
    assert state.forced == ("the mirror is 5000 events behind, at most 1000", "the mirror: 3 not copied yet")
    assert json.loads((pair.run.folder / STATE).read_text())["forced"] == list(state.forced)


async def test_a_mirror_that_does_not_drain_ends_a_switch_that_was_not_forced(pair: Pair, mirror: Mirror) -> None:
    mirror.drains = False
    with pytest.raises(NotReady):
        await switched(pair)
    assert "west: promoted" not in pair.log


async def test_a_region_that_is_lost_is_not_fenced_which_is_said_and_recorded(pair: Pair, mirror: Mirror) -> None:
    assert last_known(pair.ledger_copy("east")) == ""
    pair.regions["west"].release_of = ""  # nor does this host know of east's
    pair.regions["east"].cause = "connection refused"
    with pytest.raises(FailoverRefused) as caught:
        await failover(pair).check(SOURCE)
    assert "it cannot be fenced" in str(caught.value)
    one = failover(pair, force=True)
    state = await one.go(SOURCE, one.decide(Reasons(lag=("east is gone",)), began=10.0))
    assert pair.log == PLANNED[4:]
    assert (state.unreachable, state.forced, state.wrote) == ("connection refused", ("east is gone",), 0)
    assert entry.read(pair.home) == Active("west", 2)


async def test_a_region_that_is_lost_while_it_is_fenced_is_not_left_behind_unasked(pair: Pair, mirror: Mirror) -> None:
    pair.regions["east"].dies_at = "fenced"
    with pytest.raises(Killed):
        await switched(pair)
    pair.regions["east"].cause = "no route to host"
    pair.begin(again=release(pair))
    with pytest.raises(FailoverRefused) as caught:
        await switched(pair)
    assert "east cannot be fenced: no route to host" in str(caught.value)
    del caught  # its traceback holds the run
    pair.begin(again=release(pair))
    state = await switched(pair, force=True)
    assert state.unreachable == "no route to host"
    assert "west: promoted" in pair.log


async def test_what_a_side_that_went_while_it_was_fenced_did_not_send_is_not_waited_for(
    pair: Pair, mirror: Mirror
) -> None:
    pair.regions["east"].dies_at = "server down"
    with pytest.raises(Killed):
        await switched(pair)
    pair.regions["east"].cause, pair.regions["west"].wrote = "no route to host", 90
    pair.begin(again=release(pair))
    state = await switched(pair, force=True)
    assert (state.wrote, state.unreachable) == (100, "no route to host")
    assert "west: promoted" in pair.log


async def test_while_one_is_under_way_no_other_begins(pair: Pair, mirror: Mirror) -> None:
    pair.regions["west"].dies_at = "promoted"
    with pytest.raises(Killed):
        await switched(pair)
    first = pair.run.folder
    pair.begin()
    for to in ("west", "east"):
        with pytest.raises(FailoverRefused) as caught:
            failover(pair, to).check_name()
        assert f"--again {first}" in str(caught.value)


@pytest.mark.parametrize(("region", "point"), POINTS, ids=[" ".join(point) for point in POINTS])
async def test_what_was_not_promoted_can_be_undone_and_nothing_else(
    pair: Pair, mirror: Mirror, region: str, point: str
) -> None:
    pair.regions[region].dies_at = point
    with pytest.raises(Killed):
        await switched(pair)
    pair.begin(again=release(pair))
    one = failover(pair)
    if PLANNED.index(f"{region}: {point}") >= PLANNED.index("west: promoted"):
        with pytest.raises(FailoverError, match="cannot be undone"):
            await one.undo(SOURCE, one.state())
        assert "east: server up" not in pair.log
        return
    assert await one.undo(SOURCE, one.state()) == Active("east", 1) == entry.read(pair.home)
    assert pair.log[-4:] == ["west: standby", "east: primary", "east: server up", "east: services 1"]
    assert (pair.regions["west"].marked, pair.regions["east"].marked) == (
        Marker("west", "standby", 1),
        Marker("east", "primary", 1),
    )
    assert not one.state().epoch, "with --again it begins anew: what was done is undone"
    pair.begin()
    failover(pair).check_name()  # another one may begin


async def test_only_the_switch_that_is_under_way_goes_on(pair: Pair, mirror: Mirror) -> None:
    """What the folder of another one knows is of another epoch: it would promote what nobody fenced."""
    old = Switch("west", epoch=2, done=("fence east", "let west catch up"))
    for active in (Active("east", 1), Active("east", 1, "/another"), Active("east", 3)):
        entry.path_of(pair.home).unlink(missing_ok=True)
        entry.write(pair.home, active)
        with pytest.raises(FailoverError, match="is not the one that is under way"):
            await failover(pair).go(SOURCE, old)
        assert pair.log == []


async def test_one_that_was_killed_before_it_said_that_it_is_under_way_goes_on(pair: Pair, mirror: Mirror) -> None:
    one = failover(pair)
    state = one.decide(Reasons(), began=10.0)
    entry.write(pair.home, Active("east", 1))
    await one.go(SOURCE, state)
    assert entry.read(pair.home) == Active("west", 2)
    assert (await one.go(SOURCE, one.state())).ended, "and one that is done has nothing left to do"
    assert pair.log == PLANNED


def test_a_folder_of_another_switch_or_of_none_is_refused(pair: Pair) -> None:
    (pair.run.folder / STATE).write_text('{"target": "east", "forced": [], "done": []}')
    with pytest.raises(FailoverError, match="goes to east"):
        failover(pair).state()
    (pair.run.folder / STATE).write_text("{}")
    with pytest.raises(FailoverError, match="how far"):
        failover(pair).state()


def release(pair: Pair) -> Path:
    """The folder of a run whose process is gone."""
    folder, pair.run = pair.run.folder, None  # type: ignore[assignment]
    gc.collect()
    return folder

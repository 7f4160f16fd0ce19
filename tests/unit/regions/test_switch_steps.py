"""Fencing, catching up, promoting: in which order, what a second try repeats, and what is told at a deadline."""

from dataclasses import dataclass, field

import anyio
import pytest

from sluice.errors import ClusterError, FailoverError, LedgerError, NotReady
from sluice.regions.model import Database, Marker, Seen
from sluice.steps import promote_region
from sluice.steps.fence_region import UNKNOWN, fence
from sluice.steps.look_at_region import look
from sluice.steps.promote_region import catch_up, promote

pytestmark = pytest.mark.anyio
BEHIND, WHOLE = Database(True, 1, 90, 100, True), Database(True, 1, 100, 100, True, last_commit=7.0)


@dataclass
class Region:
    """Implements the protocols of the steps: `answers` are those of its database, the last one for ever."""

    name: str = "east"
    answers: list[Database | Exception] = field(default_factory=lambda: [Database(False, 1, 100)])
    done: list[str] = field(default_factory=list)
    dies_at: str = ""
    cause: str = ""

    async def unreachable(self) -> str:
        return self.cause

    async def marker(self) -> Marker | None:
        return Marker(self.name, "primary", 1)

    async def trouble(self) -> list[str]:
        return ["node x is not ready"]

    async def images(self) -> dict[str, tuple[str, ...]]:
        return {"backend/backend": ("a@sha256:1",)}

    async def release(self) -> str:
        self._do("release")
        return "sha256:a"

    async def mark(self, marker: Marker) -> None:
        self._do(f"mark {marker.role} {marker.epoch}" + (" alone" if marker.alone else ""))

    async def services(self, replicas: int, *, deadline_seconds: float) -> None:
        self._do(f"services {replicas}")

    async def server(self, *, running: bool, deadline_seconds: float) -> None:
        self._do(f"server {running}")

    async def promote(self, *, deadline_seconds: float) -> None:
        self._do("promote")

    async def database(self) -> Database:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _do(self, what: str) -> None:
        if what == self.dies_at:
            raise ClusterError(f"{what} is refused", seen="503")
        self.done.append(what)


NO_ANSWER = FailoverError("east's database does not answer", seen="no pod")


async def test_the_old_side_is_fenced_in_the_order_in_which_nothing_slips_through() -> None:
    east = Region()
    noted: list[int] = []
    wrote = await fence(east, 4, lambda at: noted.append(at) or east.done.append("note"), deadline_seconds=1)  # type: ignore[func-returns-value]
    assert (wrote, noted) == (100, [100])
    assert east.done == ["mark fenced 4", "services 0", "note", "server False"]


async def test_a_second_try_does_not_ask_a_server_that_has_ended() -> None:
    east = Region(dies_at="server False")
    noted: list[int] = []
    with pytest.raises(ClusterError):
        await fence(east, 4, noted.append, deadline_seconds=1)
    east.dies_at, east.answers = "", [NO_ANSWER]
    assert await fence(east, 4, noted.append, wrote=noted[0], deadline_seconds=1) == 100
    assert noted == [100]
    assert east.done[-1] == "server False"


async def test_a_server_that_does_not_tell_how_far_it_wrote_is_not_fenced_unless_that_was_overruled() -> None:
    east = Region(answers=[NO_ANSWER])
    with pytest.raises(FailoverError):
        await fence(east, 4, lambda _: None, deadline_seconds=1)
    assert "server False" not in east.done
    assert await fence(east, 4, lambda _: None, may_be_unknown=True, deadline_seconds=1) == UNKNOWN
    assert east.done[-1] == "server False"


async def test_it_waits_until_the_standby_has_replayed_all_that_was_written() -> None:
    west = Region("west", [NO_ANSWER, BEHIND, BEHIND, WHOLE])
    assert await catch_up(west, 100, deadline_seconds=5) == WHOLE


@pytest.mark.parametrize("wrote", [0, UNKNOWN])
async def test_of_a_region_that_was_lost_it_waits_for_what_arrived(wrote: int) -> None:
    west = Region("west", [BEHIND, WHOLE])
    assert await catch_up(west, wrote, deadline_seconds=5) == WHOLE


async def test_what_arrived_in_part_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last record of a primary that was lost in the middle of sending it."""
    monkeypatch.setattr(promote_region, "_STILL_SECONDS", 0.3)
    began = anyio.current_time()
    assert await catch_up(Region("west", [BEHIND]), 0, deadline_seconds=10) == BEHIND
    assert anyio.current_time() - began >= 0.3


async def test_at_the_deadline_it_tells_how_far_it_is() -> None:
    with pytest.raises(NotReady) as caught:
        await catch_up(Region("west", [BEHIND]), 100, deadline_seconds=0.1)
    assert caught.value.seen == "it has replayed 90 of 100 bytes of WAL, 100 are there"
    with pytest.raises(NotReady) as caught:
        await catch_up(Region("west", [NO_ANSWER]), 100, deadline_seconds=0.1)
    assert "no pod" in caught.value.seen


async def test_one_that_writes_already_is_not_waited_for() -> None:
    with pytest.raises(FailoverError) as caught:
        await catch_up(Region("west", [Database(False, 2, 500)]), 100, deadline_seconds=5)
    assert "timeline 2" in caught.value.seen


async def test_what_it_will_be_is_written_down_before_it_is_promoted() -> None:
    west = Region("west")
    await promote(west, 4, deadline_seconds=1)
    assert west.done == ["mark primary 4 alone", "promote"]


async def test_a_region_is_seen_as_far_as_it_answers() -> None:
    seen = await look(Region(), lambda: "never asked")
    assert (seen.release, seen.trouble, seen.database) == (
        "sha256:a",
        ("node x is not ready",),
        Database(False, 1, 100),
    )
    seen = await look(Region(answers=[NO_ANSWER]), lambda: "never asked")
    assert seen.database is None
    assert seen.trouble[-1] == "east's database does not answer: no pod"
    seen = await look(Region(dies_at="release"), lambda: "never asked")
    assert seen.release == ""
    assert "release is refused: 503" in seen.trouble


async def test_of_a_region_that_does_not_answer_this_host_knows_the_release() -> None:
    gone = Region(cause="refused")
    assert await look(gone, lambda: "sha256:a") == Seen("east", unreachable="refused", release="sha256:a")

    def broken() -> str:
        raise LedgerError("the copy is broken")

    assert (await look(gone, broken)).release == ""

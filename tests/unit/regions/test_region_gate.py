"""against: every reason is told, all at once; what may be lost is told apart from what cannot be."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sluice.regions.active import Active
from sluice.regions.gate import MOST_EVENTS, MOST_WAL_BYTES, Reasons, against, nowhere
from sluice.regions.model import Database, Marker, Seen

ACTIVE = Active("east", 3)
IMAGES = {"backend/backend": ("backend@sha256:1",)}
EAST = Seen("east", "", Marker("east", "primary", 3), (), Database(False, 3, 5_000_000), "sha256:a", IMAGES)
WEST = Seen(
    "west", "", Marker("west", "standby", 3), (), Database(True, 3, 4_999_000, 4_999_500, True), "sha256:a", IMAGES
)
GONE = replace(EAST, unreachable="connection refused", marker=None, database=None, images={})


def test_a_pair_that_is_well_has_nothing_against_it() -> None:
    assert against("west", ACTIVE, EAST, WEST, 0) == Reasons()
    assert against("west", ACTIVE, EAST, WEST, MOST_EVENTS) == Reasons()


Change = Callable[[Seen], Seen]
REFUSED: dict[str, Change] = {
    "west cannot be asked: timed out": lambda it: replace(it, unreachable="timed out"),
    "west does not say what it is": lambda it: replace(it, marker=None),
    "west is fenced and no standby": lambda it: replace(it, marker=Marker("west", "fenced", 3)),
    "west is primary and no standby": lambda it: replace(it, marker=Marker("west", "primary", 3)),
    "west is of epoch 4, and the entry of 3: the entry is stale": lambda it: replace(
        it, marker=Marker("west", "standby", 4)
    ),
    "west's database does not answer": lambda it: replace(it, database=None),
    "it writes already, on timeline 9": lambda it: replace(it, database=Database(False, 9, 5_000_000, streaming=True)),
    "west: node x is not ready": lambda it: replace(it, trouble=("node x is not ready",)),
    "west has the release sha256:b, east has sha256:a": lambda it: replace(it, release="sha256:b"),
    "no release was ever verified in west": lambda it: replace(it, release=""),
    "backend/backend is backend@sha256:2 in west, backend@sha256:1 in east": lambda it: replace(
        it, images={"backend/backend": ("backend@sha256:2",)}
    ),
    "backend/backend is nothing in west": lambda it: replace(it, images={}),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_no_force_overrules(said: str) -> None:
    found = against("west", ACTIVE, EAST, REFUSED[said](WEST), 0)
    assert [one for one in found.refused if said in one], found
    assert found.lag == ()


def test_all_reasons_are_told_at_once() -> None:
    bad = replace(WEST, trouble=("a", "b"), release="sha256:b", images={}, marker=None)
    found = against("west", ACTIVE, EAST, replace(bad, database=Database(True, 3, 1, 1)), "no answer")
    assert len(found.refused) == 5
    assert len(found.lag) == 3


def test_what_may_be_lost_is_told_in_numbers() -> None:
    slow = replace(WEST, database=Database(True, 3, 5_000_000 - MOST_WAL_BYTES - 1, streaming=True))
    assert against("west", ACTIVE, EAST, slow, 0).lag == (
        f"west's database is {MOST_WAL_BYTES + 1} bytes of WAL behind, at most {MOST_WAL_BYTES}",
    )
    assert against("west", ACTIVE, EAST, WEST, MOST_EVENTS + 1).lag == (
        "the mirror is 1001 events behind, at most 1000",
    )
    assert against("west", ACTIVE, EAST, WEST, "the Job failed").lag == (
        "nobody knows how far the mirror is: the Job failed",
    )
    torn = replace(WEST, database=Database(True, 3, 5_000_000, streaming=False))
    assert against("west", ACTIVE, EAST, torn, 0).lag == ("west's database does not follow at the moment",)
    mute = replace(EAST, database=None)
    assert "nobody knows what west lacks" in against("west", ACTIVE, mute, WEST, 0).lag[0]


def test_of_a_region_that_is_gone_nobody_knows_what_it_acknowledged() -> None:
    found = against("west", ACTIVE, GONE, WEST, "its source does not answer")
    assert found.refused == (), "its release is that of this host's copy of its ledger"
    [reason] = found.lag
    assert reason.startswith("east cannot be asked (connection refused): it cannot be fenced")
    assert against("west", ACTIVE, replace(GONE, release=""), WEST, 0).refused != ()


@pytest.mark.parametrize(
    ("to", "active", "said"),
    [
        ("north", ACTIVE, "there is no region 'north': east and west are"),
        ("west", None, "./nox -s regions -- up raises them"),
        ("east", ACTIVE, "east is the active region already, since epoch 3"),
        ("west", Active("east", 3, "/runs/x"), "--again /runs/x ends it"),
    ],
)
def test_where_there_is_nothing_to_be_asked(to: str, active: Active | None, said: str) -> None:
    assert said in nowhere(to, active)
    [reason] = against(to, active, EAST, WEST, 0).refused
    assert said in reason

"""The changes over plain HTTP, and what retention leaves of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import Counter
from sqlalchemy import func, select, update

from servicekit.database import Database, create_engine
from servicekit.metrics import Metrics
from sync.models import Change
from sync.retention import Retention
from testkit.tokens import Keys

pytestmark = pytest.mark.anyio

CHANGES = "/api/v1/changes"


@pytest.fixture
async def database_of(settings: Any) -> Any:
    """The database itself."""
    database = Database(create_engine(settings, application="tests", pooled=False), Metrics())
    yield database
    await database.close()


def retention(database: Database, **values: Any) -> tuple[Retention, Counter]:
    """Retention with the given bounds, and its counter."""
    pruned = Counter("pruned", "", registry=None)
    return Retention(database, **{"days": 7, "per_owner": 1000, "pruned": pruned, **values}), pruned


async def kept(database: Database) -> list[tuple[str, int, int]]:
    """Return each owner's oldest and newest sequence."""
    bounds = select(Change.owner, func.min(Change.sequence), func.max(Change.sequence)).group_by(Change.owner)
    async with database.transaction() as session:
        return [tuple(row) for row in await session.execute(bounds.order_by(Change.owner))]


async def age(database: Database, upto: int, days: float) -> None:
    """Make ann's first changes older."""
    statement = update(Change).where(Change.owner == "ann", Change.sequence <= upto)
    async with database.transaction() as session:
        await session.execute(statement.values(recorded_at=datetime.now(UTC) - timedelta(days=days)))


async def test_pages_follow_one_another(replica: Any, keys: Keys) -> None:
    await replica.change("ann", 5)
    await replica.change("bob")
    ann = keys.headers("ann")
    first = (await replica.http.get(CHANGES, params={"after": 0, "limit": 3}, headers=ann)).json()
    assert ([item["sequence"] for item in first["items"]], first["sequence"], first["more"]) == ([1, 2, 3], 3, True)
    second = (await replica.http.get(CHANGES, params={"after": 3, "limit": 3}, headers=ann)).json()
    assert ([item["sequence"] for item in second["items"]], second["sequence"], second["more"]) == ([4, 5], 5, False)
    nothing = (await replica.http.get(CHANGES, params={"after": 5}, headers=ann)).json()
    assert nothing == {"items": [], "sequence": 5, "more": False}
    async with replica.connected("ann", after=0) as connected:
        same = [{"sequence": one["sequence"], "event": one["event"]} for one in await connected.changes(5)]
    assert first["items"] + second["items"] == same


async def test_without_a_resume_point_only_the_last_sequence_is_told(replica: Any, keys: Keys) -> None:
    for number in (0, 2):
        await replica.change("ann", number)
        answer = await replica.http.get(CHANGES, headers=keys.headers("ann"))
        assert answer.json() == {"items": [], "sequence": number, "more": False}


async def test_a_resume_point_from_the_future_is_a_410(replica: Any, keys: Keys) -> None:
    answer = await replica.http.get(CHANGES, params={"after": 1}, headers=keys.headers("ann"))
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:sluice:problem:resume-point-gone")
    assert answer.json()["sequence"] == 0


@pytest.mark.parametrize("query", ["after=-1", "after=x", f"after={10**18}", "after=0&limit=0", "after=0&limit=501"])
async def test_values_out_of_bounds_are_refused(replica: Any, keys: Keys, query: str) -> None:
    assert (await replica.http.get(f"{CHANGES}?{query}", headers=keys.headers("ann"))).status_code == 422


async def test_nobody_asks_without_a_token(replica: Any) -> None:
    assert (await replica.http.get(CHANGES)).status_code == 401


async def test_old_changes_are_forgotten_and_the_rest_is_not(replica: Any, keys: Keys, database_of: Any) -> None:
    await replica.change("ann", 6)
    await replica.change("bob", 2)
    await age(database_of, 4, days=8)
    pruning, pruned = retention(database_of)
    assert await pruning.prune() == 4
    assert await kept(database_of) == [("ann", 5, 6), ("bob", 1, 2)]
    assert await pruning.prune() == 0
    assert pruned._value.get() == 4
    for after, status in ((3, 410), (4, 200), (6, 200)):
        answer = await replica.http.get(CHANGES, params={"after": after}, headers=keys.headers("ann"))
        assert answer.status_code == status, answer.text
    code, reason = await replica.refused("?after=3", additional_headers=keys.headers("ann"))
    assert (code, "fetch everything anew" in reason) == (4409, True)
    async with replica.connected("ann", after=4) as ann:
        assert [one["sequence"] for one in await ann.changes(2)] == [5, 6]


async def test_many_changes_are_forgotten_down_to_the_newest(replica: Any, database_of: Any) -> None:
    await replica.change("ann", 9)
    await replica.change("bob", 3)
    pruning, _ = retention(database_of, per_owner=4)
    assert await pruning.prune() == 5
    assert await kept(database_of) == [("ann", 6, 9), ("bob", 1, 3)]


async def test_a_stream_whose_changes_are_all_forgotten_goes_on_where_it_was(
    replica: Any, keys: Keys, database_of: Any
) -> None:
    await replica.change("ann", 3)
    async with replica.connected("ann") as connected:
        await age(database_of, 3, days=8)
        pruning, _ = retention(database_of)
        assert await pruning.prune() == 3
        assert (await replica.refused("?after=2", additional_headers=keys.headers("ann")))[0] == 4409
        async with replica.connected("ann", after=3) as resumed:
            await replica.change("ann")
            for client in (connected, resumed):
                assert [one["sequence"] for one in await client.changes(1)] == [4]


async def test_a_clock_that_differs_makes_no_hole_in_a_stream(replica: Any, database_of: Any) -> None:
    await replica.change("ann", 5)
    await age(database_of, 4, days=8)
    await age(database_of, 2, days=1)  # numbered by a replica whose clock is ahead
    assert await retention(database_of)[0].prune() == 4
    assert await kept(database_of) == [("ann", 5, 5)]

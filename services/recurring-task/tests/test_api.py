"""`GET /api/v1/reminders`: one's own pending reminders, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from servicekit.events import TASK_CREATED
from testkit.events import changed, snapshot
from testkit.tokens import Keys

pytestmark = pytest.mark.anyio

REMINDERS = "/api/v1/reminders"
DUE = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)


async def listed(bench: Any, keys: Keys, user: str = "ann", **query: object) -> httpx.Response:
    """Ask for a user's reminders."""
    response: httpx.Response = await bench.client.get(REMINDERS, params=query, headers=keys.headers(user))
    return response


async def test_a_user_sees_their_own_pending_reminders_soonest_first(bench: Any, keys: Keys) -> None:
    mine = snapshot(title="mine", due_at=DUE, reminders=(10, 60))
    theirs = snapshot("bob", title="theirs", due_at=DUE, reminders=(30,))
    await bench.deliver(changed(TASK_CREATED, mine), changed(TASK_CREATED, theirs))
    found = (await listed(bench, keys)).json()
    assert found["next_cursor"] is None
    assert [(item["minutes_before"], item["title"], item["task_id"]) for item in found["items"]] == [
        (60, "mine", str(mine.id)),
        (10, "mine", str(mine.id)),
    ]
    first = found["items"][0]
    assert datetime.fromisoformat(first["due_at"]) == DUE
    assert datetime.fromisoformat(first["remind_at"]) == DUE - timedelta(hours=1)
    (other,) = (await listed(bench, keys, "bob")).json()["items"]
    assert other["title"] == "theirs"


async def test_what_is_done_is_not_listed(live: Any, keys: Keys, until: Any) -> None:
    due_at = datetime.now(UTC) + timedelta(minutes=30)
    past = snapshot(due_at=due_at, reminders=(10, 40), updated_at=due_at - timedelta(days=1))
    await live.deliver(changed(TASK_CREATED, past))

    async def one_left() -> bool:
        return [item["minutes_before"] for item in (await listed(live, keys)).json()["items"]] == [10]

    await until(one_left, "the sent reminder is no longer listed")


async def test_pages_hold_each_reminder_once(bench: Any, keys: Keys) -> None:
    tasks = [snapshot(due_at=DUE, reminders=(0, 5)) for _ in range(4)]  # four of the same moment, twice
    await bench.deliver(*(changed(TASK_CREATED, task) for task in tasks))
    found: list[tuple[str, int]] = []
    query: dict[str, object] = {"limit": 3}
    sizes = []
    while True:
        page = (await listed(bench, keys, **query)).json()
        sizes.append(len(page["items"]))
        found += [(item["task_id"], item["minutes_before"]) for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sizes == [3, 3, 2]
    assert len(set(found)) == 8
    assert [minutes for _, minutes in found] == [5] * 4 + [0] * 4


@pytest.mark.parametrize(
    "query", [{"cursor": "?"}, {"cursor": "MjAzMA"}, {"cursor": "é"}, {"limit": 0}, {"limit": 101}, {"owner": "bob"}]
)
async def test_a_bad_query_is_refused(bench: Any, keys: Keys, query: dict[str, object]) -> None:
    response = await listed(bench, keys, **query)
    assert (response.status_code, response.json()["type"]) == (422, "urn:sluice:problem:validation-failed")
    (name,) = query
    assert response.json()["errors"][0]["pointer"] == f"#/{name}"


async def test_without_a_token_there_is_nothing(bench: Any) -> None:
    assert (await bench.client.get(REMINDERS)).status_code == 401

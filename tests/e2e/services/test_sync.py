"""sync over plain HTTP: the numbered changes of one user. The suite `websocket` has the rest."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.e2e.support import EFFECT_WITHIN, Backend, Client, eventually, problem

pytestmark = pytest.mark.anyio

CHANGES = "/api/v1/changes"


async def test_changes_are_numbered_without_a_gap_and_come_in_pages(
    backend: Backend, client: Callable[..., Client]
) -> None:
    sync = client("sync")
    assert await sync.read(CHANGES) == {"items": [], "sequence": 0, "more": False}
    tasks = [(await backend.create(title=f"task {number}"))["id"] for number in range(3)]
    items = (await changes(sync, 3))["items"]
    assert [(one["sequence"], one["event"]["task_id"]) for one in items] == list(enumerate(tasks, 1))
    assert {one["event"]["type"] for one in items} == {"sluice.task.created.v1"}

    page = await sync.read(CHANGES, after="0", limit="2")
    assert (page["items"], page["sequence"], page["more"]) == (items[:2], 2, True)
    rest = await sync.read(CHANGES, after="2")
    assert (rest["items"], rest["sequence"], rest["more"]) == (items[2:], 3, False)
    assert await sync.read(CHANGES) == {"items": [], "sequence": 3, "more": False}


async def test_a_point_that_was_never_given_is_gone(client: Callable[..., Client]) -> None:
    refused = await client("sync").request("GET", CHANGES, params={"after": "7"})
    assert problem(refused, 410, "resume-point-gone")["sequence"] == 0


async def test_no_user_sees_the_changes_of_another(backend: Backend, client: Callable[..., Client]) -> None:
    sync = client("sync")
    await backend.create(title="mine alone")
    await changes(sync, 1)
    stranger = sync.as_user(f"{sync.user}-other")
    assert await stranger.read(CHANGES, after="0") == {"items": [], "sequence": 0, "more": False}


async def changes(sync: Client, count: int) -> dict[str, Any]:
    """All of the user's changes, once there are so many."""

    async def found() -> dict[str, Any]:
        page = await sync.read(CHANGES, after="0")
        assert len(page["items"]) == count, f"{len(page['items'])} changes instead of {count}"
        return page

    return await eventually(found, within=EFFECT_WITHIN)

"""recurring-task: what a user will be reminded of, as the tasks change."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.e2e.support import EFFECT_WITHIN, Backend, Client, eventually, problem, shown

pytestmark = pytest.mark.anyio

REMINDERS = "/api/v1/reminders"
DUE = datetime(2031, 5, 6, 7, 0, tzinfo=UTC)


async def test_reminders_follow_the_task(backend: Backend, client: Callable[..., Client]) -> None:
    recurring = client("recurring-task")
    task = await backend.create(title="dentist", due_at=DUE.isoformat(), reminders=[60, 10])
    first, second = await reminders(recurring, 2)
    assert [first["minutes_before"], second["minutes_before"]] == [60, 10]
    assert (first["task_id"], first["title"]) == (task["id"], "dentist")
    assert datetime.fromisoformat(first["remind_at"]) == DUE - timedelta(minutes=60)
    assert datetime.fromisoformat(first["due_at"]) == DUE

    later = DUE + timedelta(days=1)
    path = f"/api/v1/tasks/{task['id']}"
    shown(await backend.request("PATCH", path, json={"due_at": later.isoformat(), "reminders": [5]}), 200)
    (moved,) = await reminders(recurring, 1)
    assert datetime.fromisoformat(moved["remind_at"]) == later - timedelta(minutes=5)

    await backend.complete(task["id"])
    assert await reminders(recurring, 0) == []


async def test_reminders_come_in_pages_the_soonest_first(backend: Backend, client: Callable[..., Client]) -> None:
    recurring = client("recurring-task")
    await backend.create(due_at=DUE.isoformat(), reminders=[30, 20, 10])
    await reminders(recurring, 3)
    first = await recurring.read(REMINDERS, limit="2")
    rest = await recurring.read(REMINDERS, limit="2", cursor=first["next_cursor"])
    assert [one["minutes_before"] for one in first["items"] + rest["items"]] == [30, 20, 10]
    assert rest["next_cursor"] is None
    refused = await recurring.request("GET", REMINDERS, params={"cursor": "nonsense"})
    assert problem(refused, 422, "validation-failed")["errors"][0]["pointer"] == "#/cursor"


async def test_no_user_sees_the_reminders_of_another(backend: Backend, client: Callable[..., Client]) -> None:
    recurring = client("recurring-task")
    await backend.create(due_at=DUE.isoformat(), reminders=[15])
    await reminders(recurring, 1)
    assert await reminders(recurring.as_user(f"{recurring.user}-other"), 0) == []


async def reminders(recurring: Client, count: int) -> list[dict[str, Any]]:
    """The user's pending reminders, once there are so many."""

    async def found() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await recurring.read(REMINDERS))["items"]
        assert len(items) == count, f"{len(items)} reminders instead of {count}: {items}"
        return items

    return await eventually(found, within=EFFECT_WITHIN)

"""Recurrence, time zone and reminders of a task: what goes together, and what makes a series."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

TASKS = "/api/v1/tasks"
DUE = "2030-01-07T08:00:00Z"  # a Monday
WEEKLY = {"title": "water the plants", "due_at": DUE, "recurrence": "FREQ=WEEKLY", "timezone": "Europe/Berlin"}
SERIES = ("series_id", "series_start", "occurrence")


async def create(client: httpx.AsyncClient, **content: object) -> dict[str, Any]:
    """Create a weekly task, with the given members in place of its own, and return it."""
    response = await client.post(TASKS, json=WEEKLY | content)
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task


async def patch(client: httpx.AsyncClient, task: dict[str, Any], **change: object) -> dict[str, Any]:
    """Change a task and return it."""
    response = await client.patch(f"{TASKS}/{task['id']}", json=change)
    assert response.status_code == 200, response.text
    changed: dict[str, Any] = response.json()
    return changed


def series(task: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells a task's place in its series."""
    return tuple(task[name] for name in SERIES)


async def test_a_recurring_task_begins_a_series(client: httpx.AsyncClient) -> None:
    task = await create(client, reminders=[60, 0, 1440, 60])
    assert (task["recurrence"], task["timezone"]) == ("FREQ=WEEKLY", "Europe/Berlin")
    assert task["reminders"] == [0, 60, 1440]
    assert uuid.UUID(task["series_id"])
    assert (task["series_start"], task["occurrence"]) == (DUE, 1)
    assert (await client.get(f"{TASKS}/{task['id']}")).json() == task
    other = await create(client)
    assert other["series_id"] != task["series_id"]


async def test_a_task_without_a_recurrence_is_in_no_series(client: httpx.AsyncClient) -> None:
    task = (await client.post(TASKS, json={"title": "once", "due_at": DUE, "reminders": [5]})).json()
    assert (task["recurrence"], task["timezone"], task["reminders"]) == (None, None, [5])
    assert series(task) == (None, None, 1)


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"recurrence": "FREQ=HOURLY"}, "#/recurrence", "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY"),
    ({"recurrence": "every day"}, "#/recurrence", "must be like FREQ=WEEKLY;BYDAY=MO,WE"),
    ({"recurrence": "FREQ=MONTHLY;BYMONTHDAY=30;BYMONTH=2"}, "#/recurrence", "it never comes"),
    ({"recurrence": "FREQ=DAILY;INTERVAL=7;BYDAY=TU"}, "#/recurrence", "never comes after the first due date"),
    ({"recurrence": 7}, "#/recurrence", "valid string"),
    ({"recurrence": ""}, "#/recurrence", "must be like"),
    ({"timezone": "Berlin"}, "#/timezone", "'Berlin' is not a time zone of the IANA database"),
    ({"timezone": "\x00"}, "#/timezone", "is not a time zone"),
    ({"timezone": None}, "#/timezone", "is required with a recurrence"),
    ({"recurrence": None}, "#/timezone", "is allowed only with a recurrence"),
    ({"due_at": None}, "#/due_at", "is required with recurrence"),
    ({"due_at": "1969-01-01T00:00:00Z"}, "#/due_at", "a year from 1970 to 2199"),
    ({"due_at": None, "recurrence": None, "timezone": None, "reminders": [5]}, "#/due_at", "required with reminders"),
    ({"reminders": [-1]}, "#/reminders/0", "greater than or equal to 0"),
    ({"reminders": [5, 525_601]}, "#/reminders/1", "less than or equal to 525600"),
    ({"reminders": ["5"]}, "#/reminders/0", "valid integer"),
    ({"reminders": [True]}, "#/reminders/0", "valid integer"),
    ({"reminders": [1, 2, 3, 4, 5, 6]}, "#/reminders", "at most 5 items"),
    ({"reminders": None}, "#/reminders", "valid list"),
    ({"series_id": str(uuid.uuid4())}, "#/series_id", "not permitted"),
    ({"occurrence": 2}, "#/occurrence", "not permitted"),
]


@pytest.mark.parametrize(("content", "pointer", "reason"), BAD)
async def test_what_does_not_go_together_is_named(
    client: httpx.AsyncClient, content: dict[str, Any], pointer: str, reason: str
) -> None:
    response = await client.post(TASKS, json=WEEKLY | content)
    assert (response.status_code, response.json()["type"]) == (422, "urn:sluice:problem:validation-failed")
    (error,) = response.json()["errors"]
    assert (error["in"], error["pointer"]) == ("body", pointer)
    assert reason in error["detail"]
    assert (await client.get(TASKS)).json()["items"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"due_at": None}, "#/due_at"),
        ({"timezone": None}, "#/timezone"),
        ({"recurrence": None, "timezone": "UTC"}, "#/timezone"),
        ({"recurrence": None, "due_at": None}, "#/due_at"),  # its reminders stay
        ({"recurrence": "FREQ=DAILY;INTERVAL=7;BYDAY=TU"}, "#/recurrence"),
        ({"due_at": "2300-01-01T00:00:00Z"}, "#/due_at"),
    ],
)
async def test_a_change_that_does_not_fit_changes_nothing(
    client: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    task = await create(client, reminders=[5])
    response = await client.patch(f"{TASKS}/{task['id']}", json=change | {"title": "new"})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)
    assert (await client.get(f"{TASKS}/{task['id']}")).json() == task


@pytest.mark.parametrize("change", [{"recurrence": "FREQ=DAILY"}, {"timezone": "Asia/Tokyo"}])
async def test_another_rule_or_zone_begins_a_new_series(client: httpx.AsyncClient, change: dict[str, str]) -> None:
    task = await create(client)
    changed = await patch(client, task, **change, due_at="2030-02-01T08:00:00Z")
    assert changed["series_id"] not in (None, task["series_id"])
    assert (changed["series_start"], changed["occurrence"]) == ("2030-02-01T08:00:00Z", 1)
    assert (changed["id"], changed["version"]) == (task["id"], 2)


async def test_another_due_date_of_the_first_moves_the_series(client: httpx.AsyncClient) -> None:
    task = await create(client)
    moved = await patch(client, task, due_at="2030-01-09T08:00:00Z")
    assert series(moved) == (task["series_id"], "2030-01-09T08:00:00Z", 1)


async def test_other_changes_leave_the_series(client: httpx.AsyncClient) -> None:
    task = await create(client)
    changed = await patch(client, task, title="new", reminders=[10], recurrence="FREQ=WEEKLY", completed=True)
    assert series(changed) == series(task)
    assert (changed["title"], changed["reminders"], changed["completed"]) == ("new", [10], True)


async def test_without_its_rule_a_task_is_in_no_series(client: httpx.AsyncClient) -> None:
    task = await create(client, reminders=[5])
    plain = await patch(client, task, recurrence=None)
    assert (plain["recurrence"], plain["timezone"], plain["due_at"], plain["reminders"]) == (None, None, DUE, [5])
    assert series(plain) == (None, None, 1)
    again = await patch(client, plain, recurrence="FREQ=DAILY", timezone="UTC")
    assert again["series_id"] not in (None, task["series_id"])


async def test_a_put_replaces_these_too(client: httpx.AsyncClient) -> None:
    task = await create(client, reminders=[5])
    path = f"{TASKS}/{task['id']}"
    same = (await client.put(path, json=WEEKLY | {"title": "new"})).json()
    assert (series(same), same["reminders"]) == (series(task), [])
    bare = (await client.put(path, json={"title": "bare"})).json()
    assert (bare["recurrence"], bare["timezone"], bare["due_at"], series(bare)) == (None, None, None, (None, None, 1))
    assert (await client.put(path, json={"title": "bare", "recurrence": "FREQ=DAILY"})).status_code == 422


async def test_a_change_to_the_same_keeps_the_version(client: httpx.AsyncClient) -> None:
    task = await create(client, reminders=[5, 60])
    assert await patch(client, task, recurrence="FREQ=WEEKLY", reminders=[60, 5, 5], due_at=DUE) == task


async def test_lists_show_and_filter_as_before(client: httpx.AsyncClient) -> None:
    task = await create(client)
    await client.post(TASKS, json={"title": "once"})
    found = (await client.get(TASKS, params={"due_after": "2030-01-01T00:00:00Z"})).json()["items"]
    assert found == [task]
    assert (await client.get(TASKS, params={"recurrence": "FREQ=WEEKLY"})).status_code == 422

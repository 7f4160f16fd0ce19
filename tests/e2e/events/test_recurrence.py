"""A completed recurring task is followed by exactly one, at the right moment.

The way is backend → Kafka → recurring-task → Kafka → backend.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.e2e.support import EFFECT_WITHIN, Backend, eventually, shown

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("rule", "zone", "due", "expected"),
    [
        # Nine in the morning stays nine in the morning when clocks are put forward the night before.
        ("FREQ=DAILY", "Europe/Berlin", "2031-03-29T08:00:00Z", "2031-03-30T07:00:00Z"),
        ("FREQ=WEEKLY;BYDAY=SU", "America/New_York", "2031-10-26T13:00:00Z", "2031-11-02T14:00:00Z"),
        # The last day of a month is another number in the next.
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "UTC", "2031-01-31T08:00:00Z", "2031-02-28T08:00:00Z"),
        # A month without a 31st is left out, as RFC 5545 has it.
        ("FREQ=MONTHLY", "UTC", "2031-01-31T08:00:00Z", "2031-03-31T08:00:00Z"),
    ],
    ids=["clocks go forward", "clocks go back", "last day of the month", "the 31st"],
)
async def test_the_next_task_is_due_when_the_rule_says(
    backend: Backend, rule: str, zone: str, due: str, expected: str
) -> None:
    first = await backend.create(title="again", due_at=due, recurrence=rule, timezone=zone, tags=["kept"])
    await backend.complete(first["id"])
    (following,) = await open_tasks(backend, 1)
    assert datetime.fromisoformat(following["due_at"]) == datetime.fromisoformat(expected)
    assert (following["title"], following["tags"], following["recurrence"]) == ("again", ["kept"], rule)
    assert following["id"] != first["id"]


async def test_a_task_that_is_completed_twice_is_followed_once(backend: Backend) -> None:
    task = await backend.create(title="twice", due_at=due(1), recurrence="FREQ=DAILY", timezone="UTC")
    await backend.complete(task["id"])
    await open_tasks(backend, 1)
    shown(await backend.request("POST", f"/api/v1/tasks/{task['id']}/reopen"), 200)
    await backend.complete(task["id"])
    # What comes after it in the same order is there: so whatever the second completion brought would be, too.
    other = await backend.create(title="other", due_at=due(1), recurrence="FREQ=DAILY", timezone="UTC")
    await backend.complete(other["id"])
    following = await open_tasks(backend, 2)
    assert sorted(one["title"] for one in following) == ["other", "twice"]


@pytest.mark.smoke
async def test_a_series_ends_where_its_rule_does(backend: Backend) -> None:
    task = await backend.create(title="once", due_at=due(1), recurrence="FREQ=DAILY;COUNT=1", timezone="UTC")
    await backend.complete(task["id"])
    other = await backend.create(title="other", due_at=due(1), recurrence="FREQ=DAILY;COUNT=2", timezone="UTC")
    await backend.complete(other["id"])
    (following,) = await open_tasks(backend, 1)
    assert following["title"] == "other"


def due(day: int) -> str:
    """A due date that is far enough away."""
    return datetime(2031, 7, day, 9, tzinfo=UTC).isoformat()


async def open_tasks(backend: Backend, count: int) -> list[dict[str, Any]]:
    """The user's open tasks, once there are so many."""

    async def found() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await backend.list(completed="false"))["items"]
        assert len(items) == count, f"{len(items)} open tasks instead of {count}: {[one['title'] for one in items]}"
        return items

    return await eventually(found, within=EFFECT_WITHIN)

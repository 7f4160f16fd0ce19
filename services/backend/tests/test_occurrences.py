"""The next task of a series is made once, whatever is delivered how often, and told as every new task is."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from backend.models import Base
from backend.service import build
from backend.settings import BackendSettings
from servicekit.events import DEAD_LETTER, OCCURRENCE_DUE, TASK_CREATED, OccurrenceDue
from testkit.events import KeptPublisher, as_json, deliver
from testkit.example import samples
from testkit.settings import empty_tables

pytestmark = pytest.mark.anyio

TASKS = "/api/v1/tasks"
DEADLINE_SECONDS = 30
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def due(**values: Any) -> dict[str, Any]:
    """Return the event of a next occurrence."""
    usual: dict[str, Any] = {
        "owner": "ann",
        "series_id": uuid.uuid4(),
        "occurrence": 2,
        "previous_task_id": uuid.uuid4(),
        "title": "water the plants",
        "description": "all of them",
        "due_at": "2030-01-14T08:00:00Z",
        "priority": "high",
        "tags": ("home",),
        "recurrence": "FREQ=WEEKLY",
        "timezone": "Europe/Berlin",
        "series_start": "2030-01-07T08:00:00Z",
        "reminders": (5, 60),
    }
    data = OccurrenceDue.model_validate(usual | values)
    return as_json(OCCURRENCE_DUE, data, subject="t", key=data.owner, source="recurring-task")


async def tasks(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return the user's tasks."""
    found: list[dict[str, Any]] = (await client.get(TASKS)).json()["items"]
    return found


async def published(publisher: KeptPublisher, kind: Any, count: int = 1) -> list[dict[str, Any]]:
    """Wait for events of a type."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(publisher.of(kind)) < count:
            await asyncio.sleep(0.01)
    return publisher.of(kind)


async def test_it_is_a_task_like_its_predecessor(client: httpx.AsyncClient, publisher: KeptPublisher) -> None:
    event = due() | {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    assert await deliver(client, "occurrences", event) == "SUCCESS"
    (task,) = await tasks(client)
    data = event["data"]
    for name in ("owner", "title", "description", "due_at", "priority", "recurrence", "timezone", "series_id",
                 "series_start", "occurrence", "tags", "reminders"):  # fmt: skip
        assert task[name] == data[name], name
    assert (task["completed"], task["version"]) == (False, 1)
    (created,) = await published(publisher, TASK_CREATED)
    assert (created["data"]["actor"], created["data"]["before"]) == ("ann", None)
    assert created["data"]["after"]["id"] == task["id"]
    assert created["traceparent"].split("-")[1] == TRACE, "the trace of the completion goes on"


async def test_it_is_made_once(client: httpx.AsyncClient, publisher: KeptPublisher) -> None:
    event = due()
    other_id = event | {"id": str(uuid.uuid4())}
    following = due(series_id=event["data"]["series_id"], occurrence=3)
    for delivery in (event, event, other_id, following, other_id):
        assert await deliver(client, "occurrences", delivery) == "SUCCESS"
    assert sorted(task["occurrence"] for task in await tasks(client)) == [2, 3]
    assert len(await published(publisher, TASK_CREATED, 2)) == 2


async def test_it_is_not_made_again_after_it_was_changed_or_completed(client: httpx.AsyncClient) -> None:
    event = due()
    await deliver(client, "occurrences", event)
    (task,) = await tasks(client)
    await client.patch(f"{TASKS}/{task['id']}", json={"title": "new", "completed": True})
    await deliver(client, "occurrences", event | {"id": str(uuid.uuid4())})
    assert [task["title"] for task in await tasks(client)] == ["new"]


async def test_another_due_date_of_a_later_one_moves_that_one_alone(client: httpx.AsyncClient) -> None:
    await deliver(client, "occurrences", due())
    (task,) = await tasks(client)
    moved = (await client.patch(f"{TASKS}/{task['id']}", json={"due_at": "2030-01-16T08:00:00Z"})).json()
    assert moved["due_at"] == "2030-01-16T08:00:00Z"
    assert [moved[name] for name in ("series_id", "series_start", "occurrence")] == [
        task[name] for name in ("series_id", "series_start", "occurrence")
    ]
    edited = (await client.patch(f"{TASKS}/{task['id']}", json={"recurrence": "FREQ=DAILY"})).json()
    assert edited["series_id"] != task["series_id"]
    assert (edited["series_start"], edited["occurrence"]) == ("2030-01-16T08:00:00Z", 1)


async def test_it_belongs_to_its_owner(client: httpx.AsyncClient, bob: dict[str, str]) -> None:
    await deliver(client, "occurrences", due(owner="bob"))
    assert await tasks(client) == []
    assert len((await client.get(TASKS, headers=bob)).json()["items"]) == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"title": "two\nlines"}, "title: "),
        ({"title": "  "}, "title: "),
        ({"description": "\0"}, "description: "),
        ({"recurrence": "FREQ=HOURLY"}, "recurrence: "),
        ({"timezone": "Mars/Olympus"}, "timezone: "),
    ],
)
async def test_what_can_be_no_task_is_a_dead_letter(
    client: httpx.AsyncClient, publisher: KeptPublisher, values: dict[str, Any], reason: str
) -> None:
    event = due(**values)
    assert [await deliver(client, "occurrences", event) for _ in range(2)] == ["SUCCESS"] * 2
    (letter,) = await published(publisher, DEAD_LETTER)
    assert f"no task can be made of it: {reason}" in letter["data"]["reason"]
    assert (letter["data"]["event_id"], letter["data"]["consumer"]) == (event["id"], "backend")
    assert await tasks(client) == []


async def test_it_is_counted_once_it_is_committed(fresh_client: httpx.AsyncClient) -> None:
    name = "tasks_created_total{priority=high}"
    event = due()
    for delivery in (event, event, event | {"id": str(uuid.uuid4())}):
        await deliver(fresh_client, "occurrences", delivery)
    assert (await samples(fresh_client))[name] == 1


@pytest.fixture
async def two(settings: BackendSettings, client_of: Any) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of two replicas on one database."""
    await empty_tables(settings, Base.metadata)
    services = [build(settings, KeptPublisher()) for _ in range(2)]
    async with client_of(services[0]) as first, client_of(services[1]) as second:
        yield [first, second]


@pytest.mark.contract
async def test_replicas_at_the_same_moment_make_it_once(two: list[httpx.AsyncClient]) -> None:
    series = uuid.uuid4()
    pending = [(number % 2, due(series_id=series, occurrence=2 + number // 4)) for number in range(12)]
    for _ in range(6):
        answers = await asyncio.gather(*(deliver(two[replica], "occurrences", event) for replica, event in pending))
        pending = [sent for sent, answer in zip(pending, answers, strict=True) if answer == "RETRY"]
        if not pending:
            break
    assert not pending, "whoever lost the race finds the task the next time"
    assert sorted(task["occurrence"] for task in await tasks(two[0])) == [2, 3, 4]


async def test_only_the_sidecar_makes_one(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"dapr-api-token": "forged"}):
        response = await client.post("/events/occurrences", content=json.dumps(due()), headers=headers)
        assert response.status_code == 401
    assert await tasks(client) == []


async def test_the_sidecar_is_told_what_to_deliver(client: httpx.AsyncClient) -> None:
    (entry,) = (await client.get("/dapr/subscribe")).json()
    assert (entry["pubsubname"], entry["topic"], entry["route"]) == ("pubsub", "occurrences", "/events/occurrences")

"""Every change of a task is told once, as it was and as it is; what changes nothing is told to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from backend.models import Base
from backend.settings import BackendSettings
from servicekit.database import create_engine
from testkit.events import KeptPublisher

pytestmark = pytest.mark.anyio

TASKS = "/api/v1/tasks"
DEADLINE_SECONDS = 30
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
WEEKLY = {"due_at": "2030-01-07T08:00:00Z", "recurrence": "FREQ=WEEKLY", "timezone": "Europe/Berlin", "reminders": [5]}

Published = Callable[[int], Any]


@pytest.fixture
def published(publisher: KeptPublisher) -> Published:
    """Wait until so many events went out, and return them."""

    async def wait(count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(publisher.published) < count:
                await asyncio.sleep(0.01)
        return [event for _, _, event in publisher.published]

    return wait


def as_shown(task: dict[str, Any]) -> dict[str, Any]:
    """Return a task as an event shows it, from what the API shows."""
    return {name: value for name, value in task.items() if name != "completed"}


async def test_each_change_is_an_event_with_before_and_after(client: httpx.AsyncClient, published: Published) -> None:
    created = (await client.post(TASKS, json={"title": "a", "tags": ["x"], **WEEKLY})).json()
    path = f"{TASKS}/{created['id']}"
    updated = (await client.patch(path, json={"title": "b"})).json()
    completed = (await client.post(f"{path}/complete")).json()
    reopened = (await client.post(f"{path}/reopen")).json()
    await client.delete(path)
    events = await published(5)
    names = ("created", "updated", "completed", "reopened", "deleted")
    assert [event["type"] for event in events] == [f"sluice.task.{name}.v1" for name in names]
    states = [None, created, updated, completed, reopened, None]
    for event, before, after in zip(events, states[:-1], states[1:], strict=True):
        assert event["data"] == {
            "actor": "ann",
            "before": None if before is None else as_shown(before),
            "after": None if after is None else as_shown(after),
        }
        assert (event["source"], event["subject"]) == ("/services/backend", created["id"])
        assert event["partitionkey"] == "ann"


async def test_a_change_that_also_completes_is_a_completion_with_both(
    client: httpx.AsyncClient, published: Published
) -> None:
    task = (await client.post(TASKS, json={"title": "a"})).json()
    await client.patch(f"{TASKS}/{task['id']}", json={"title": "b", "completed": True, "tags": ["x"]})
    await client.patch(f"{TASKS}/{task['id']}", json={"title": "c", "completed": False})
    _, completed, reopened = await published(3)
    assert (completed["type"], reopened["type"]) == ("sluice.task.completed.v1", "sluice.task.reopened.v1")
    before, after = completed["data"]["before"], completed["data"]["after"]
    assert (before["title"], before["completed_at"], before["tags"], before["version"]) == ("a", None, [], 1)
    assert (after["title"], after["tags"], after["version"]) == ("b", ["x"], 2)
    assert after["completed_at"]
    assert reopened["data"]["after"]["title"] == "c"


async def test_what_changes_nothing_is_told_to_nobody(
    client: httpx.AsyncClient, published: Published, bob: dict[str, str]
) -> None:
    task = (await client.post(TASKS, json={"title": "a"})).json()
    path = f"{TASKS}/{task['id']}"
    await client.patch(path, json={"title": "a"})
    await client.put(path, json={"title": "a"})
    await client.post(f"{path}/reopen")
    await client.patch(path, json={"title": "b"}, headers={"If-Match": '"7"'})
    await client.patch(path, json={"title": ""})
    await client.patch(path, json={"recurrence": "FREQ=DAILY"})
    await client.delete(path, headers=bob)
    await client.post(TASKS, json={"title": ""})
    await client.get(path)
    await client.post(TASKS, json={"title": "last"})
    events = await published(2)
    assert [event["data"]["after"]["title"] for event in events] == ["a", "last"]


async def test_events_of_a_task_are_in_order(client: httpx.AsyncClient, published: Published) -> None:
    task = (await client.post(TASKS, json={"title": "0"})).json()
    path = f"{TASKS}/{task['id']}"
    answers = await asyncio.gather(*(client.patch(path, json={"title": f"by {number}"}) for number in range(6)))
    changed = [answer for answer in answers if answer.status_code == 200]
    events = await published(1 + len(changed))
    assert [event["data"]["after"]["version"] for event in events] == list(range(1, len(changed) + 2))
    for earlier, later in pairwise(events):
        assert later["data"]["before"] == earlier["data"]["after"]


async def test_each_user_has_a_key(client: httpx.AsyncClient, published: Published, bob: dict[str, str]) -> None:
    await client.post(TASKS, json={"title": "a"})
    await client.post(TASKS, json={"title": "b"}, headers=bob)
    assert [event["partitionkey"] for event in await published(2)] == ["ann", "bob"]
    assert [event["data"]["actor"] for event in await published(2)] == ["ann", "bob"]


async def test_an_event_has_the_trace_of_its_request(client: httpx.AsyncClient, published: Published) -> None:
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    await client.post(TASKS, json={"title": "a"}, headers=headers)
    (event,) = await published(1)
    assert event["traceparent"].split("-")[1] == TRACE


async def test_a_broker_that_is_away_delays_events_and_nothing_else(
    client: httpx.AsyncClient, published: Published, publisher: KeptPublisher, settings: BackendSettings
) -> None:
    publisher.broken = True
    path = f"{TASKS}/{(await client.post(TASKS, json={'title': 'a'})).json()['id']}"
    assert (await client.post(f"{path}/complete")).status_code == 200
    assert (await client.delete(path)).status_code == 204
    assert (await client.get("/readyz")).status_code == 200
    assert await waiting(settings) == 3
    publisher.broken = False
    events = await published(3)
    assert [event["type"].split(".")[2] for event in events] == ["created", "completed", "deleted"]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await waiting(settings):
            await asyncio.sleep(0.01)
    assert len(publisher.published) == 3, "nothing went out twice"


async def waiting(settings: BackendSettings) -> int:
    """Return how many events wait in the outbox."""
    engine = create_engine(settings, application="tests", pooled=False)
    async with engine.connect() as connection:
        found = len((await connection.execute(select(Base.metadata.tables["outbox"].c.id))).all())
    await engine.dispose()
    return found

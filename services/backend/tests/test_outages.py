"""The database comes late, or goes away under load: clear answers, nothing that was promised is lost or doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from backend.service import MIGRATIONS, build
from backend.settings import BackendSettings
from servicekit.events import TASK_CREATED
from servicekit.migrate import migrate
from testkit.events import KeptPublisher
from testkit.postgresql import Postgresql

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

TASKS = "/api/v1/tasks"
DEADLINE_SECONDS = 120


async def published(publisher: KeptPublisher, titles: set[str]) -> None:
    """Wait until these tasks were told."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not titles <= {event["data"]["after"]["title"] for event in publisher.of(TASK_CREATED)}:
            await asyncio.sleep(0.05)


async def test_a_backend_that_is_there_before_its_database_serves_when_that_comes(
    postgresql: Postgresql, settings_of: Any, client_of: Any, lines: Any
) -> None:
    settings: BackendSettings = settings_of(**postgresql.address("afterwards"), readiness_timeout_seconds=10)
    publisher = KeptPublisher()
    service = build(settings, publisher)
    async with service.app.router.lifespan_context(service.app), client_of(service) as client:
        early = await client.post(TASKS, json={"title": "early"})
        assert (early.status_code, early.json()["type"]) == (503, "urn:sluice:problem:database-unavailable")
        assert [(await client.get(path)).status_code for path in ("/readyz", "/healthz")] == [503, 200]
        await asyncio.to_thread(postgresql.create, "afterwards")
        await migrate(settings, service="backend", scripts=MIGRATIONS)
        assert (await client.post(TASKS, json={"title": "late"})).status_code == 201
        assert (await client.get("/readyz")).status_code == 200
        await published(publisher, {"late"})
    told = [line for line in lines() if line["message"] == "background work failed"]
    assert {line["work"] for line in told} <= {"outbox relay", "inbox pruning"}
    causes = ("The database does not answer", "does not exist")  # away, or there and not migrated yet
    assert [line["error"] for line in told if not any(cause in line["error"] for cause in causes)] == []
    assert len(told) < 20, "it waits between its attempts"


async def test_what_was_answered_with_201_is_there_after_a_crash_and_told_once(
    postgresql: Postgresql, settings_of: Any, client_of: Any
) -> None:
    await asyncio.to_thread(postgresql.create, "crashing")
    settings: BackendSettings = settings_of(**postgresql.address("crashing"))
    await migrate(settings, service="backend", scripts=MIGRATIONS)
    publisher = KeptPublisher()
    service = build(settings, publisher)
    answers: dict[str, int] = {}
    crashed = asyncio.Event()

    async def write(worker: int) -> None:
        number = 0
        while not crashed.is_set() or number == 0:
            title = f"{worker}-{number}"
            answers[title] = (await client.post(TASKS, json={"title": title})).status_code
            number += 1

    async with service.app.router.lifespan_context(service.app), client_of(service) as client:
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
            for worker in range(4):
                group.create_task(write(worker))
            while len(answers) < 20:
                await asyncio.sleep(0)
            await asyncio.to_thread(postgresql.stop)
            try:
                while 503 not in answers.values():
                    await asyncio.sleep(0)
            finally:
                await asyncio.to_thread(postgresql.start)
                crashed.set()
        assert set(answers.values()) == {201, 503}
        promised = {title for title, status in answers.items() if status == 201}
        await published(publisher, promised)
        stored = {task["title"] async for task in every_task(client)}
    assert promised <= stored
    told = Counter(event["data"]["after"]["title"] for event in publisher.of(TASK_CREATED))
    assert set(told) <= stored, "nothing is told that is not so"
    ids = Counter(event["id"] for event in publisher.of(TASK_CREATED))
    # What went out in the moment of the crash may go out again: under its own id, by which readers know it.
    assert len(ids) == len(told)


async def every_task(client: Any) -> Any:
    """Yield all tasks, page by page."""
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(TASKS, params={"limit": 100} | cursor)).json()
        for task in page["items"]:
            yield task
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}

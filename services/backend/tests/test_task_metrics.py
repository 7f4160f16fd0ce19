"""The exact names and labels that dashboards, rules and the gate rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.models import Priority
from backend.service import build
from testkit.example import samples

pytestmark = pytest.mark.anyio

TASKS = "/api/v1/tasks"


async def test_created_tasks_are_counted_by_priority_from_zero(fresh_client: httpx.AsyncClient) -> None:
    before = await samples(fresh_client)
    assert {before[f"tasks_created_total{{priority={name}}}"] for name in ("low", "normal", "high", "urgent")} == {0}
    await fresh_client.post(TASKS, json={"title": "a", "priority": "high"})
    await fresh_client.post(TASKS, json={"title": "b"})
    await fresh_client.post(TASKS, json={"title": ""})
    after = await samples(fresh_client)
    assert after["tasks_created_total{priority=high}"] == 1
    assert after["tasks_created_total{priority=normal}"] == 1
    assert after["tasks_created_total{priority=low}"] == 0
    assert after[f"http_requests_total{{method=POST,route={TASKS},status=201}}"] == 2
    assert after[f"http_requests_total{{method=POST,route={TASKS},status=422}}"] == 1


async def test_statements_are_timed_by_operation(fresh_client: httpx.AsyncClient) -> None:
    path = (await fresh_client.post(TASKS, json={"title": "a", "tags": ["x"]})).headers["location"]
    await fresh_client.patch(path, json={"title": "b"})
    await fresh_client.delete(path)
    await fresh_client.get("/readyz")
    found = await samples(fresh_client)
    name = "database_query_duration_seconds_count"
    counted = {key: value for key, value in found.items() if key.startswith(name)}
    assert set(counted) == {
        f"{name}{{operation={operation}}}" for operation in ("select", "insert", "update", "delete", "other")
    }
    assert counted[f"{name}{{operation=insert}}"] == 5, "a task, its tags, and an event for each of three changes"
    assert counted[f"{name}{{operation=update}}"] == 1
    assert counted[f"{name}{{operation=delete}}"] >= 1
    assert counted[f"{name}{{operation=select}}"] == 2, "each read loads a task with its tags; probes are left out"


async def test_a_failed_statement_is_timed_too(tmp_path: Path, settings_of: Any, client_of: Any) -> None:
    service = build(settings_of(database_url=f"sqlite+aiosqlite:///{tmp_path}/unmigrated.db"))
    async with client_of(service) as client:
        response = await client.get(TASKS)
        found = await samples(client)
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "no such table" not in response.text
    assert found["database_query_duration_seconds_count{operation=select}"] == 1


async def test_ids_make_no_series(fresh_client: httpx.AsyncClient) -> None:
    for _ in range(5):
        path = (await fresh_client.post(TASKS, json={"title": "a"})).headers["location"]
        await fresh_client.get(path)
    found = await samples(fresh_client)
    assert found[f"http_requests_total{{method=GET,route={TASKS}/{{task_id}},status=200}}"] == 5
    assert not [key for key in found if path.rsplit("/", 1)[1] in key]


async def test_completed_tasks_are_counted_by_priority_from_zero(fresh_client: httpx.AsyncClient) -> None:
    name = "tasks_completed_total{{priority={}}}".format
    assert {(await samples(fresh_client))[name(priority.value)] for priority in Priority} == {0}
    path = (await fresh_client.post(TASKS, json={"title": "a", "priority": "urgent"})).headers["location"]
    for action in ("complete", "complete", "reopen", "complete"):
        await fresh_client.post(f"{path}/{action}")
    await fresh_client.patch(path, json={"completed": False})
    await fresh_client.patch(path, json={"completed": True, "title": "b"})
    found = await samples(fresh_client)
    assert (found[name("urgent")], found[name("normal")]) == (3, 0)
    assert found["tasks_created_total{priority=urgent}"] == 1

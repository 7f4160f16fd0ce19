"""The list of tasks: filters, sort, pages."""

from typing import Any

import anyio
import pytest
from tests.e2e.support import Backend, problem

pytestmark = pytest.mark.anyio

TASKS: tuple[dict[str, Any], ...] = (
    {"title": "alpha", "priority": "low", "tags": ["red"], "due_at": "2031-01-01T00:00:00Z"},
    {"title": "bravo", "priority": "high", "tags": ["red", "blue"], "due_at": "2031-06-01T00:00:00Z"},
    {"title": "charlie", "priority": "normal", "tags": ["blue"], "description": "like alpha, later"},
)


@pytest.fixture
async def tasks(backend: Backend) -> list[dict[str, Any]]:
    """The three tasks of TASKS in the order they were made, the last one completed."""
    made = [await backend.create(**task) for task in TASKS]
    await backend.request("POST", f"/api/v1/tasks/{made[2]['id']}/complete")
    return made


@pytest.mark.usefixtures("tasks")
async def test_each_filter_finds_its_tasks_and_no_others(backend: Backend) -> None:
    expected = {
        ("completed", "true"): ["charlie"],
        ("completed", "false"): ["alpha", "bravo"],
        ("priority", "high"): ["bravo"],
        ("tag", "red"): ["alpha", "bravo"],
        ("tag", "green"): [],
        ("due_before", "2031-03-01T00:00:00Z"): ["alpha"],
        ("due_after", "2031-03-01T00:00:00Z"): ["bravo"],
        ("q", "ALPHA"): ["alpha", "charlie"],
    }
    found: dict[tuple[str, str], list[str]] = {}

    async def ask(name: str, value: str) -> None:
        page = await backend.list(**{name: value, "sort": "title"})
        found[name, value] = [task["title"] for task in page["items"]]

    async with anyio.create_task_group() as group:
        for name, value in expected:
            group.start_soon(ask, name, value)
    assert found == expected


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("title", ["alpha", "bravo", "charlie"]),
        ("-title", ["charlie", "bravo", "alpha"]),
        ("-priority", ["bravo", "charlie", "alpha"]),
        ("-due_at", ["bravo", "alpha", "charlie"]),
        ("-created_at", ["charlie", "bravo", "alpha"]),
    ],
)
async def test_the_list_is_sorted_as_asked(backend: Backend, sort: str, expected: list[str]) -> None:
    assert [task["title"] for task in (await backend.list(sort=sort))["items"]] == expected


async def test_pages_hold_every_task_once_also_when_one_is_added_meanwhile(backend: Backend) -> None:
    made = [(await backend.create(title=f"task {number}"))["id"] for number in range(5)]
    seen: list[str] = []
    sizes: list[int] = []
    params = {"sort": "created_at", "limit": "2"}
    page = await backend.list(**params)
    while True:
        sizes.append(len(page["items"]))
        seen += [task["id"] for task in page["items"]]
        if page["next_cursor"] is None:
            break
        if len(sizes) == 1:
            made.append((await backend.create(title="late"))["id"])
        page = await backend.list(**params, cursor=page["next_cursor"])
    assert (seen, sizes) == (made, [2, 2, 2])


async def test_a_cursor_that_is_made_up_and_a_filter_that_is_unknown_are_refused(backend: Backend) -> None:
    for name, value in (("cursor", "nonsense"), ("colour", "red"), ("limit", "0")):
        response = await backend.request("GET", "/api/v1/tasks", params={name: value})
        assert problem(response, 422, "validation-failed")["errors"][0]["pointer"] == f"#/{name}"

"""Create, read, change, complete and delete; versions; one user never reaches another's task."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

TASKS = "/api/v1/tasks"


async def create(client: httpx.AsyncClient, **content: object) -> dict[str, Any]:
    """Create a task and return it."""
    response = await client.post(TASKS, json={"title": "write"} | content)
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task


async def test_a_created_task_is_read_back_as_it_was_given(client: httpx.AsyncClient) -> None:
    content = {
        "title": "  Pay rent ",
        "description": "by bank\ntransfer",
        "due_at": "2030-01-31T10:00:00+01:00",
        "priority": "high",
        "tags": ["Home ", "money", "HOME", "two  words"],
    }
    response = await client.post(TASKS, json=content)
    task = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{TASKS}/{task['id']}"
    assert response.headers["etag"] == '"1"'
    assert task["title"] == "Pay rent"
    assert task["description"] == "by bank\ntransfer"
    assert task["due_at"] == "2030-01-31T09:00:00Z"
    assert (task["priority"], task["tags"]) == ("high", ["home", "money", "two words"])
    assert (task["owner"], task["version"], task["completed"], task["completed_at"]) == (
        "ann",
        1,
        False,
        None,
    )
    assert abs(datetime.fromisoformat(task["created_at"]) - datetime.now(UTC)).total_seconds() < 60
    read = await client.get(response.headers["location"])
    assert (read.json(), read.headers["etag"]) == (task, '"1"')


async def test_only_a_title_is_needed(client: httpx.AsyncClient) -> None:
    task = await create(client)
    assert (task["description"], task["due_at"], task["priority"], task["tags"]) == ("", None, "normal", [])


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({}, "#/title"),
        ({"title": "   "}, "#/title"),
        ({"title": "x" * 201}, "#/title"),
        ({"title": "a\nb"}, "#/title"),
        ({"title": "nul\x00"}, "#/title"),
        ({"title": "half \ud800"}, "#/title"),
        ({"title": "t", "description": "x" * 10_001}, "#/description"),
        ({"title": "t", "description": "\x00"}, "#/description"),
        ({"title": "t", "due_at": "2030-01-31T10:00:00"}, "#/due_at"),
        ({"title": "t", "due_at": 1900000000}, "#/due_at"),
        ({"title": "t", "due_at": "0001-01-01T00:00:00+14:00"}, "#/due_at"),
        ({"title": "t", "due_at": "soon"}, "#/due_at"),
        ({"title": "t", "priority": "asap"}, "#/priority"),
        ({"title": "t", "tags": ["ok", " "]}, "#/tags/1"),
        ({"title": "t", "tags": ["x" * 51]}, "#/tags/0"),
        ({"title": "t", "tags": ["a\x00"]}, "#/tags/0"),
        ({"title": "t", "tags": [str(number) for number in range(21)]}, "#/tags"),
        ({"title": "t", "tags": "home"}, "#/tags"),
        ({"title": "t", "owner": "bob"}, "#/owner"),
        ({"title": "t", "a/b~c": 1}, "#/a~1b~0c"),
    ],
)
async def test_a_wrong_value_is_named(client: httpx.AsyncClient, content: dict[str, Any], pointer: str) -> None:
    response = await client.post(TASKS, content=_json(content), headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def _json(content: dict[str, Any]) -> bytes:
    import json

    return json.dumps(content).encode()


async def test_another_users_task_does_not_exist(client: httpx.AsyncClient, bob: dict[str, str]) -> None:
    path = f"{TASKS}/{(await create(client))['id']}"
    answers = [
        await client.get(path, headers=bob),
        await client.put(path, json={"title": "x"}, headers=bob),
        await client.patch(path, json={"title": "x"}, headers=bob),
        await client.delete(path, headers=bob),
        await client.post(f"{path}/complete", headers=bob),
        await client.post(f"{path}/reopen", headers=bob),
        await client.get(f"{TASKS}/{uuid.uuid4()}", headers=bob),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["detail"] for answer in answers} == {"There is no such task."}
    assert (await client.get(TASKS, headers=bob)).json()["items"] == []
    assert (await client.get(path)).json()["version"] == 1


async def test_no_user_no_answer(client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    assert (await client.get(TASKS)).status_code == 401
    assert (await client.post(TASKS, json={"title": "x"})).status_code == 401


async def test_a_patch_changes_what_it_names(client: httpx.AsyncClient) -> None:
    task = await create(client, tags=["a", "b"], due_at="2030-01-01T00:00:00Z", description="keep")
    change = {"title": "new", "tags": ["b", "c"], "due_at": None, "priority": "low"}
    response = await client.patch(f"{TASKS}/{task['id']}", json=change)
    changed = response.json()
    assert response.headers["etag"] == '"2"'
    assert {name: changed[name] for name in change} == change
    assert (changed["description"], changed["created_at"]) == ("keep", task["created_at"])
    assert changed["updated_at"] > task["updated_at"]
    assert (await client.get(f"{TASKS}/{task['id']}")).json() == changed


@pytest.mark.parametrize("change", [{}, {"title": None}, {"tags": None}, {"completed": None}, {"id": "x"}])
async def test_a_wrong_patch_is_refused(client: httpx.AsyncClient, change: dict[str, Any]) -> None:
    task = await create(client)
    assert (await client.patch(f"{TASKS}/{task['id']}", json=change)).status_code == 422


async def test_tags_alone_move_the_version(client: httpx.AsyncClient) -> None:
    task = await create(client, tags=["a"])
    response = await client.patch(f"{TASKS}/{task['id']}", json={"tags": ["b"]})
    assert (response.json()["version"], response.json()["tags"]) == (2, ["b"])


async def test_a_change_that_changes_nothing_keeps_the_version(client: httpx.AsyncClient) -> None:
    task = await create(client, tags=["a"])
    response = await client.patch(f"{TASKS}/{task['id']}", json={"title": task["title"], "tags": ["A"]})
    assert response.json() == task


async def test_a_put_replaces_everything(client: httpx.AsyncClient) -> None:
    task = await create(client, tags=["a"], priority="urgent", description="old")
    response = await client.put(f"{TASKS}/{task['id']}", json={"title": "bare"})
    replaced = response.json()
    assert (replaced["title"], replaced["description"], replaced["priority"]) == ("bare", "", "normal")
    assert (replaced["tags"], replaced["version"]) == ([], 2)


async def test_completing_and_reopening_twice_is_as_once(client: httpx.AsyncClient) -> None:
    path = f"{TASKS}/{(await create(client))['id']}"
    first = (await client.post(f"{path}/complete")).json()
    assert first["completed"]
    assert first["completed_at"]
    assert (await client.post(f"{path}/complete")).json() == first
    reopened = (await client.post(f"{path}/reopen")).json()
    assert (reopened["completed"], reopened["completed_at"], reopened["version"]) == (False, None, 3)
    assert (await client.post(f"{path}/reopen")).json() == reopened


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("given", ['"7"', 'W/"1"', "1", '"2", "3"'])
async def test_another_version_is_not_touched(client: httpx.AsyncClient, method: str, given: str) -> None:
    path = f"{TASKS}/{(await create(client))['id']}"
    body = None if method == "DELETE" else {"title": "x"}
    response = await client.request(method, path, json=body, headers={"If-Match": given})
    assert response.status_code == 412
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["etag"] == '"1"'
    assert (await client.get(path)).json()["title"] == "write"


@pytest.mark.parametrize("given", ['"1"', "*", '"0", "1"'])
async def test_the_right_version_is_changed(client: httpx.AsyncClient, given: str) -> None:
    path = f"{TASKS}/{(await create(client))['id']}"
    response = await client.patch(path, json={"title": "x"}, headers={"If-Match": given})
    assert response.status_code == 200


async def test_of_changes_at_once_to_one_version_one_wins(client: httpx.AsyncClient) -> None:
    path = f"{TASKS}/{(await create(client))['id']}"
    answers = await asyncio.gather(
        *(client.patch(path, json={"title": f"by {number}"}, headers={"If-Match": '"1"'}) for number in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert (await client.get(path)).json() == winner.json()


async def test_a_deleted_task_is_gone(client: httpx.AsyncClient) -> None:
    path = f"{TASKS}/{(await create(client, tags=['a']))['id']}"
    response = await client.delete(path, headers={"If-Match": '"1"'})
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get(path)).status_code == 404
    assert (await client.delete(path)).status_code == 404


async def test_an_id_that_is_none_is_named(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{TASKS}/7")
    assert response.status_code == 422
    assert response.json()["errors"][0]["in"] == "path"

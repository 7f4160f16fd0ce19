"""A task's life: create, read, change, complete, delete."""

import uuid

import pytest
from tests.e2e.support import Backend, problem, shown

pytestmark = [pytest.mark.anyio, pytest.mark.smoke]


async def test_a_created_task_is_read_back_as_it_was_given(backend: Backend, user: str) -> None:
    given = {
        "title": "Pay the rent",
        "description": "before noon, ünïcode and all",
        "due_at": "2031-02-03T04:05:06Z",
        "priority": "high",
        "tags": ["home", "money"],
    }
    response = await backend.request("POST", "/api/v1/tasks", json=given)
    created = shown(response, 201)
    assert {name: created[name] for name in given} == given
    assert (created["owner"], created["completed"], created["version"]) == (user, False, 1)
    assert response.headers["Location"] == f"/api/v1/tasks/{created['id']}"

    read = await backend.request("GET", response.headers["Location"])
    assert shown(read, 200) == created
    assert read.headers["ETag"] == response.headers["ETag"]


async def test_a_change_with_the_current_etag_succeeds_and_a_stale_one_is_refused(backend: Backend) -> None:
    created = await backend.request("POST", "/api/v1/tasks", json={"title": "first", "tags": ["kept"]})
    path, etag = created.headers["Location"], created.headers["ETag"]

    changed = await backend.request("PATCH", path, json={"title": "second"}, headers={"If-Match": etag})
    body = shown(changed, 200)
    assert (body["title"], body["tags"], body["version"]) == ("second", ["kept"], 2)
    assert changed.headers["ETag"] != etag

    stale = await backend.request("PATCH", path, json={"title": "third"}, headers={"If-Match": etag})
    problem(stale, 412, "version-mismatch")
    assert shown(await backend.request("GET", path), 200) == body


async def test_replacing_a_task_sets_what_is_left_out_to_its_default(backend: Backend) -> None:
    created = await backend.create(description="long", priority="high", tags=["a"], due_at="2031-01-01T00:00:00Z")
    replaced = shown(await backend.request("PUT", f"/api/v1/tasks/{created['id']}", json={"title": "new"}), 200)
    assert (replaced["title"], replaced["description"], replaced["priority"]) == ("new", "", "normal")
    assert (replaced["tags"], replaced["due_at"], replaced["id"]) == ([], None, created["id"])


async def test_a_task_is_completed_and_reopened(backend: Backend) -> None:
    path = f"/api/v1/tasks/{(await backend.create())['id']}"
    completed = shown(await backend.request("POST", f"{path}/complete"), 200)
    assert completed["completed"] is True
    assert completed["completed_at"] >= completed["created_at"]
    reopened = shown(await backend.request("POST", f"{path}/reopen"), 200)
    assert (reopened["completed"], reopened["completed_at"]) == (False, None)


async def test_a_deleted_task_is_gone(backend: Backend) -> None:
    path = f"/api/v1/tasks/{(await backend.create())['id']}"
    deleted = await backend.request("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    problem(await backend.request("GET", path), 404, "task-not-found")
    assert (await backend.list())["items"] == []


async def test_a_user_neither_sees_nor_changes_the_tasks_of_another(backend: Backend) -> None:
    mine = await backend.create(title="mine")
    stranger = backend.as_user(f"{backend.user}-stranger")
    path = f"/api/v1/tasks/{mine['id']}"
    assert (await stranger.list())["items"] == []
    for method, body in (("GET", None), ("PATCH", {"title": "theirs"}), ("DELETE", None)):
        problem(await stranger.request(method, path, json=body), 404, "task-not-found")
    assert (await backend.list())["items"] == [mine]


async def test_a_task_that_never_was_is_not_found(backend: Backend) -> None:
    response = await backend.request("GET", f"/api/v1/tasks/{uuid.uuid4()}")
    assert problem(response, 404, "task-not-found")["instance"].startswith("/api/v1/tasks/")

"""The routes under /api/v1/tasks."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from backend.etags import IfMatch, etag
from backend.listing import TaskQuery
from backend.models import Task
from backend.schemas import TaskChange, TaskContent, TaskPage, TaskView
from backend.store import TaskStore
from servicekit.identity import CurrentUser

PREFIX = "/api/v1/tasks"


def task_router(store: TaskStore) -> APIRouter:
    """Build the router; each route reads its input, calls the store once and shows the result."""
    router = APIRouter(prefix=PREFIX, tags=["tasks"])

    @router.post("", status_code=HTTPStatus.CREATED)
    async def create_task(user: CurrentUser, content: TaskContent, response: Response) -> TaskView:
        task = await store.create(user, content)
        response.headers["Location"] = f"{PREFIX}/{task.id}"
        return _view(task, response)

    @router.get("")
    async def list_tasks(user: CurrentUser, query: Annotated[TaskQuery, Query()]) -> TaskPage:
        tasks, next_cursor = await store.page(user, query)
        return TaskPage(items=[TaskView.of(task) for task in tasks], next_cursor=next_cursor)

    @router.get("/{task_id}")
    async def read_task(user: CurrentUser, task_id: uuid.UUID, response: Response) -> TaskView:
        return _view(await store.get(user, task_id), response)

    @router.put("/{task_id}")
    async def replace_task(
        user: CurrentUser, task_id: uuid.UUID, content: TaskContent, match: IfMatch, response: Response
    ) -> TaskView:
        return _view(await store.change(user, task_id, dict(content), match), response)

    @router.patch("/{task_id}")
    async def change_task(
        user: CurrentUser, task_id: uuid.UUID, change: TaskChange, match: IfMatch, response: Response
    ) -> TaskView:
        return _view(await store.change(user, task_id, change.given(), match), response)

    @router.delete("/{task_id}", status_code=HTTPStatus.NO_CONTENT)
    async def delete_task(user: CurrentUser, task_id: uuid.UUID, match: IfMatch) -> None:
        await store.delete(user, task_id, match)

    @router.post("/{task_id}/complete")
    async def complete_task(user: CurrentUser, task_id: uuid.UUID, match: IfMatch, response: Response) -> TaskView:
        return _view(await store.change(user, task_id, {"completed": True}, match), response)

    @router.post("/{task_id}/reopen")
    async def reopen_task(user: CurrentUser, task_id: uuid.UUID, match: IfMatch, response: Response) -> TaskView:
        return _view(await store.change(user, task_id, {"completed": False}, match), response)

    return router


def _view(task: Task, response: Response) -> TaskView:
    response.headers["ETag"] = etag(task.version)
    return TaskView.of(task)

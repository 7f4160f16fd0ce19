"""Tasks in the database. Every query names the owner, so no call can reach another user's task."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.exc import StaleDataError

from backend.announcements import Announcer, snapshot
from backend.etags import Precondition
from backend.listing import TaskQuery, encode_cursor, page_statement
from backend.metrics import TaskMetrics
from backend.models import Task, TaskTag
from backend.schemas import TaskContent
from backend.series import settle
from servicekit.database import Database
from servicekit.events import TASK_COMPLETED
from servicekit.problems import Problem

_TICK = timedelta(microseconds=1)


class TaskStore:
    """Create, read, change, delete and list; each call is one transaction, with the event of what it changed."""

    def __init__(self, database: Database, announcer: Announcer, metrics: TaskMetrics) -> None:
        self._database = database
        self._announcer = announcer
        self._metrics = metrics

    async def create(self, owner: str, content: TaskContent) -> Task:
        """Store a new task, which begins a series if it has a recurrence."""
        task = new_task(owner, content)
        await settle(task, dict(content))
        async with self._database.transaction() as session:
            await self.insert(session, task)
        self._metrics.created(task.priority)
        self._announcer.committed()
        return task

    async def insert(self, session: AsyncSession, task: Task) -> None:
        """Store a task and its event in the caller's transaction; its owner is who did it."""
        session.add(task)
        await session.flush()
        await self._announcer.announce(session, task.owner, None, snapshot(task))

    async def get(self, owner: str, task_id: uuid.UUID) -> Task:
        """Return one of the owner's tasks, or answer 404."""
        async with self._database.reading() as session:
            return await _find(session, owner, task_id)

    async def page(self, owner: str, query: TaskQuery) -> tuple[list[Task], str | None]:
        """Return one page of the owner's tasks and the cursor of the next one, if there is one."""
        async with self._database.reading() as session:
            found = list((await session.scalars(page_statement(owner, query))).all())
        tasks = found[: query.limit]
        return tasks, encode_cursor(query, tasks[-1]) if len(found) > query.limit else None

    async def change(
        self, owner: str, task_id: uuid.UUID, values: Mapping[str, Any], precondition: Precondition
    ) -> Task:
        """Set the given values; a change that changes nothing keeps the version and tells nobody."""
        async with self._database.transaction() as session:
            task = await _find(session, owner, task_id)
            precondition.check(task.version)
            before = snapshot(task)
            now = datetime.now(UTC)
            if not _apply(task, values, now):
                return task
            await settle(task, values, before)
            # Always a new value: tags live in another table, only a change of this row moves the version.
            task.updated_at = max(now, task.updated_at + _TICK)
            await _flush(session, precondition)
            kind = await self._announcer.announce(session, owner, before, snapshot(task))
        if kind is TASK_COMPLETED:
            self._metrics.completed(task.priority)
        self._announcer.committed()
        return task

    async def delete(self, owner: str, task_id: uuid.UUID, precondition: Precondition) -> None:
        """Delete one of the owner's tasks."""
        async with self._database.transaction() as session:
            task = await _find(session, owner, task_id)
            precondition.check(task.version)
            before = snapshot(task)
            await session.delete(task)
            await _flush(session, precondition)
            await self._announcer.announce(session, owner, before, None)
        self._announcer.committed()


def new_task(owner: str, content: TaskContent) -> Task:
    """Return a task of its own: not stored, in no series."""
    now = datetime.now(UTC)
    return Task(
        id=uuid.uuid4(),
        owner=owner,
        title=content.title,
        description=content.description,
        due_at=content.due_at,
        priority=content.priority,
        recurrence=content.recurrence,
        timezone=content.timezone,
        reminders=content.reminders,
        occurrence=1,
        created_at=now,
        updated_at=now,
        labels=[TaskTag(tag=tag) for tag in content.tags],
    )


async def _find(session: AsyncSession, owner: str, task_id: uuid.UUID) -> Task:
    # With its tags in one statement: for a single task that is quicker than two.
    one = select(Task).where(Task.id == task_id, Task.owner == owner).options(joinedload(Task.labels))
    task = (await session.scalars(one)).unique().one_or_none()
    if task is None:
        # The same answer for "not there" and "not yours": the difference would tell what exists.
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such task.", kind="task-not-found")
    return task


def _apply(task: Task, values: Mapping[str, Any], now: datetime) -> bool:
    changed = False
    for name, value in values.items():
        if getattr(task, name) == value:
            continue
        changed = True
        if name == "completed":
            task.completed_at = now if value else None
        elif name == "tags":
            kept = [label for label in task.labels if label.tag in value]
            known = {label.tag for label in kept}
            task.labels = kept + [TaskTag(tag=tag) for tag in value if tag not in known]
        else:
            setattr(task, name, value)
    return changed


async def _flush(session: AsyncSession, precondition: Precondition) -> None:
    try:
        await session.flush()
    except StaleDataError as error:
        raise precondition.overtaken() from error

"""Keeps the pending reminders of every task, as the newest of its events has them.

Events may come late, twice or out of order: a task's version decides which is newer, and a deletion is final.
A reminder whose time was past already when its user set it is not taken: who has just edited a task needs no word
of it. One that was taken in time and not sent yet stays, and the scheduler decides.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import anyio
import structlog
from sqlalchemy import ColumnElement, delete, exists, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from recurring_task.models import Reminder, TrackedTask
from servicekit.background import Background
from servicekit.database import Database
from servicekit.events import TASK_DELETED, Event, TaskChanged, TaskSnapshot
from servicekit.inbox import KEPT
from servicekit.subscriptions import Refused

# Reminders count in minutes, so "now" may be some seconds ago; clocks differ by less.
_STILL_NOW = timedelta(minutes=1)
_PRUNE_SECONDS = 3600.0

_log = structlog.stdlib.get_logger("recurring_task.reminders")


def reminder_id(task_id: uuid.UUID, remind_at: datetime) -> uuid.UUID:
    """Return the id of a task's reminder at a moment: the same in every process, so that readers know it again."""
    return uuid.uuid5(task_id, remind_at.astimezone(UTC).isoformat())


async def keep(session: AsyncSession, event: Event[TaskChanged]) -> None:
    """Replace a task's pending reminders by those of an event, unless a newer event was seen.

    A done or deleted task has none. What was sent stays known. Raises Refused where a reminder has no moment.
    """
    task = event.data.task
    deleted = event.type == TASK_DELETED.type
    wanted = {} if deleted or task.completed_at else _wanted(task)
    if not await _is_newest(session, event, deleted=deleted):
        _log.info("a newer version of the task is known", version=task.version)
        return
    stale: list[ColumnElement[bool]] = [Reminder.task_id == task.id]
    if not deleted:
        stale += [Reminder.done_at.is_(None), Reminder.id.not_in(wanted)]
    await session.execute(delete(Reminder).where(*stale))
    rows = [
        {"id": key, "task_id": task.id, "owner": task.owner, "remind_at": moment, "minutes_before": minutes}
        for key, (moment, minutes) in wanted.items()
        if moment >= task.updated_at - _STILL_NOW
    ]
    if rows:
        statement = _insert(session)(Reminder).values(rows)
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=[Reminder.id], set_={"minutes_before": statement.excluded.minutes_before}
            )
        )


def pruning(database: Database) -> Background:
    """Background work that forgets what no event can concern any more: done reminders, and tasks without any."""

    async def run() -> None:
        while True:
            await prune(database, datetime.now(UTC) - KEPT)
            await anyio.sleep(_PRUNE_SECONDS)

    return Background("reminder pruning", run)


async def prune(database: Database, before: datetime) -> None:
    """Forget reminders that were done before a moment, and tasks last heard of before it that have none left."""
    async with database.transaction() as session:
        await session.execute(delete(Reminder).where(Reminder.done_at < before))
        idle = ~exists().where(Reminder.task_id == TrackedTask.task_id)
        await session.execute(delete(TrackedTask).where(TrackedTask.seen_at < before, idle))


def _wanted(task: TaskSnapshot) -> dict[uuid.UUID, tuple[datetime, int]]:
    """Return the task's reminders by id: moment and minutes before the due date."""
    if task.due_at is None:
        return {}
    wanted = {}
    for minutes in sorted(set(task.reminders)):
        try:
            moment = task.due_at - timedelta(minutes=minutes)
        except OverflowError as error:
            reason = f"task {task.id} has a reminder {minutes} minutes before it is due, which is no moment"
            raise Refused(reason) from error
        wanted[reminder_id(task.id, moment)] = (moment, minutes)
    return wanted


async def _is_newest(session: AsyncSession, event: Event[TaskChanged], *, deleted: bool) -> bool:
    """Note the event's task, and return whether that was news; locks the task's row until the transaction ends."""
    task = event.data.task
    statement = _insert(session)(TrackedTask).values(
        task_id=task.id,
        owner=task.owner,
        title="" if deleted else task.title,  # what a user deleted is not kept
        version=task.version,
        deleted=deleted,
        traceparent=event.traceparent,
        seen_at=datetime.now(UTC),
    )
    new = statement.excluded
    columns = ("owner", "title", "version", "deleted", "traceparent", "seen_at")
    statement = statement.on_conflict_do_update(
        index_elements=[TrackedTask.task_id],
        set_={name: new[name] for name in columns},
        where=TrackedTask.deleted.is_(False) & or_(new.deleted.is_(True), TrackedTask.version < new.version),
    )
    return await session.scalar(statement.returning(TrackedTask.task_id)) is not None


def _insert(session: AsyncSession) -> type[postgresql.Insert] | type[sqlite.Insert]:
    return postgresql.Insert if session.get_bind().dialect.name == "postgresql" else sqlite.Insert

"""What the backend tells others of its tasks: who changed one, from what to what."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from backend.models import Task
from servicekit.events import (
    TASK_COMPLETED,
    TASK_CREATED,
    TASK_DELETED,
    TASK_REOPENED,
    TASK_UPDATED,
    EventType,
    TaskChanged,
    TaskSnapshot,
    new_event,
)
from servicekit.outbox import Outbox


def snapshot(task: Task) -> TaskSnapshot:
    """Return a task as it is now; its id and version have to be known, so flush before."""
    return TaskSnapshot(
        id=task.id,
        owner=task.owner,
        title=task.title,
        description=task.description,
        due_at=task.due_at,
        priority=task.priority.value,
        tags=tuple(task.tags),
        completed_at=task.completed_at,
        recurrence=task.recurrence,
        timezone=task.timezone,
        reminders=tuple(task.reminders),
        series_id=task.series_id,
        series_start=task.series_start,
        occurrence=task.occurrence,
        created_at=task.created_at,
        updated_at=task.updated_at,
        version=task.version,
    )


def kind_of(before: TaskSnapshot | None, after: TaskSnapshot | None) -> EventType[TaskChanged]:
    """Return the type of a change. A change that also completes is a completion, whatever else it changed."""
    if before is None:
        return TASK_CREATED
    if after is None:
        return TASK_DELETED
    was, is_now = before.completed_at is not None, after.completed_at is not None
    if was == is_now:
        return TASK_UPDATED
    return TASK_COMPLETED if is_now else TASK_REOPENED


class Announcer:
    """Stores a task's event in the transaction that changes the task."""

    def __init__(self, outbox: Outbox, service: str) -> None:
        self._outbox = outbox
        self._service = service

    async def announce(
        self, session: AsyncSession, actor: str, before: TaskSnapshot | None, after: TaskSnapshot | None
    ) -> EventType[TaskChanged]:
        """Store the event and return its type.

        Call it after the task's own row was flushed: the row's lock is what keeps a task's events in order.
        """
        kind = kind_of(before, after)
        data = TaskChanged(actor=actor, before=before, after=after)
        event = new_event(kind, data, source=self._service, subject=str(data.task.id), key=data.task.owner)
        await self._outbox.add(session, kind, event)
        return kind

    def committed(self) -> None:
        """Tell the relay that there is something to publish."""
        self._outbox.wake()

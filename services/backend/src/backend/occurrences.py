"""The next task of a series, made once when its time has come to be planned."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.metrics import TaskMetrics
from backend.models import Task
from backend.schemas import TaskContent
from backend.store import TaskStore, new_task
from servicekit.database import once_committed
from servicekit.events import Event, OccurrenceDue
from servicekit.subscriptions import Refused


class OccurrenceMaker:
    """Consumes `sluice.occurrence.due`."""

    def __init__(self, store: TaskStore, metrics: TaskMetrics) -> None:
        self._store = store
        self._metrics = metrics

    async def make(self, session: AsyncSession, event: Event[OccurrenceDue]) -> None:
        """Store the task and its event in the consumer's transaction, unless the series has that occurrence.

        Two events of one occurrence at the same moment are told apart by the database: one of them waits, fails on
        the unique index, and finds the task when it is delivered again. Raises Refused for what no task can be.
        """
        due = event.data
        known = select(Task.id).where(Task.series_id == due.series_id, Task.occurrence == due.occurrence)
        if await session.scalar(known) is not None:
            return
        task = new_task(due.owner, _content(due))
        task.series_id, task.series_start, task.occurrence = due.series_id, due.series_start, due.occurrence
        await self._store.insert(session, task)
        once_committed(session, lambda: self._metrics.created(task.priority))


def _content(due: OccurrenceDue) -> TaskContent:
    names = TaskContent.model_fields
    content: dict[str, Any] = {name: value for name, value in due.model_dump().items() if name in names}
    try:
        return TaskContent.model_validate(content)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise Refused(f"no task can be made of it: {told}") from None

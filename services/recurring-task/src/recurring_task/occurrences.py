"""The next occurrence of a completed recurring task.

It is due at the rule's first date later than both the completed task's due date and its completion. Later than the
due date, so that a task done early does not come back for the same day. Later than the completion, so that a daily
task done after ten days is followed by tomorrow's and not by nine that are overdue already; the dates between are
left out. The moment of completion comes from the event, never from this clock: a late delivery gives the same date.
COUNT and UNTIL bound the rule's dates, as RFC 5545 says, whether or not each became a task.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import anyio.to_thread
import structlog
from pydantic import ValidationError
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from recurring_task.metrics import OccurrenceOutcome, RecurringTaskMetrics, once_committed
from recurring_task.models import Occurrence
from servicekit.events import OCCURRENCE_DUE, Event, OccurrenceDue, TaskChanged, TaskSnapshot, new_event
from servicekit.outbox import Outbox
from servicekit.recurrence import RecurrenceError, next_occurrence
from servicekit.subscriptions import Refused

_SAID: dict[OccurrenceOutcome, str] = {
    "published": "next occurrence published",
    "duplicate": "next occurrence was published before",
    "ended": "the series has ended",
}

_log = structlog.stdlib.get_logger("recurring_task.occurrences")


class Occurrences:
    """Publishes the occurrence that follows a completed task."""

    def __init__(self, outbox: Outbox, metrics: RecurringTaskMetrics, service: str) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._service = service

    async def follow(self, session: AsyncSession, event: Event[TaskChanged]) -> None:
        """Store the next occurrence's event in the caller's transaction, at most once for each of a series.

        Raises Refused where the task's rule, zone or series is none.
        """
        task = event.data.task
        if task.recurrence is None:
            return
        try:
            due = await following(task, task.completed_at or event.time)
        except (RecurrenceError, ValidationError) as error:
            self._metrics.occurrences.labels("refused").inc()
            raise Refused(f"the recurrence of task {task.id}: {_told(error)}") from error
        outcome: OccurrenceOutcome = "published"
        if due is None:
            outcome = "ended"
        elif await _claimed(session, due):
            await self._outbox.add(session, OCCURRENCE_DUE, self._event(due))
        else:
            outcome = "duplicate"
        once_committed(session, self._metrics.occurrences.labels(outcome).inc)
        _log.info(
            _SAID[outcome],
            series_id=str(task.series_id),
            occurrence=task.occurrence + 1,
            due_at=due.due_at.isoformat() if due else None,
        )

    def _event(self, due: OccurrenceDue) -> Event[OccurrenceDue]:
        subject = str(due.previous_task_id)
        event = new_event(OCCURRENCE_DUE, due, source=self._service, subject=subject, key=due.owner)
        # The same id whenever it were published again, from a restored database say: readers know it by that.
        return event.model_copy(update={"id": str(uuid.uuid5(due.series_id, str(due.occurrence)))})


async def following(task: TaskSnapshot, completed_at: datetime) -> OccurrenceDue | None:
    """Return what follows a recurring task, None where its series has ended.

    Raises RecurrenceError, and ValidationError where the task is none that can be made again.
    """
    rule, zone, start, due_at, series = task.recurrence, task.timezone, task.series_start, task.due_at, task.series_id
    if rule is None or zone is None or start is None or due_at is None or series is None:
        needed = ("recurrence", "timezone", "series_start", "due_at", "series_id")
        missing = ", ".join(name for name in needed if getattr(task, name) is None)
        raise RecurrenceError(f"it has no {missing}")
    # In a thread: some rules take long to expand, and probes must be answered meanwhile.
    found = await anyio.to_thread.run_sync(next_occurrence, rule, zone, start, max(due_at, completed_at))
    if found is None:
        return None
    return OccurrenceDue(
        owner=task.owner,
        series_id=series,
        occurrence=task.occurrence + 1,
        previous_task_id=task.id,
        title=task.title,
        description=task.description,
        due_at=found,
        priority=task.priority,
        tags=task.tags,
        recurrence=rule,
        timezone=zone,
        series_start=start,
        reminders=task.reminders,
    )


def _told(error: RecurrenceError | ValidationError) -> str:
    """Say what is wrong, never the task's own words."""
    if isinstance(error, RecurrenceError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:20])


async def _claimed(session: AsyncSession, due: OccurrenceDue) -> bool:
    """Note the occurrence as published, and return whether it had not been: tasks are reopened and done again.

    On PostgreSQL another replica's transaction with the same occurrence is waited for here.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {
        "series_id": due.series_id,
        "occurrence": due.occurrence,
        "previous_task_id": due.previous_task_id,
        "due_at": due.due_at,
        "published_at": datetime.now(UTC),
    }
    statement = insert(Occurrence).values(row).on_conflict_do_nothing().returning(Occurrence.occurrence)
    return await session.scalar(statement) is not None

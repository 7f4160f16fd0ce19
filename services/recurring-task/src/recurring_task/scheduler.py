"""Publishes reminders when their time has come.

A batch is locked with SKIP LOCKED, and marked and put into the outbox in one transaction: replicas side by side
take different reminders, and one that dies in between leaves its batch to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import anyio
import structlog
from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from recurring_task.metrics import RecurringTaskMetrics
from recurring_task.models import Reminder, TrackedTask
from recurring_task.settings import RecurringTaskSettings
from servicekit.background import Background
from servicekit.context import working_on
from servicekit.database import Database
from servicekit.events import REMINDER_DUE, Event, ReminderDue, TaskChanged, new_event
from servicekit.outbox import Outbox

_BATCH = 50
# Where the next one is due but locked by another replica, that replica needs a moment to be done with it.
_SHORTEST_PAUSE_SECONDS = 0.1

Due: TypeAlias = Row[Reminder, str, str]

_log = structlog.stdlib.get_logger("recurring_task.scheduler")


class Scheduler:
    """Looks for due reminders when the next one is due, when an event brings new ones, and every few seconds."""

    def __init__(
        self, database: Database, outbox: Outbox, metrics: RecurringTaskMetrics, settings: RecurringTaskSettings
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._metrics = metrics
        self._service = settings.service_name
        self._overdue = timedelta(seconds=settings.reminder_overdue_seconds)
        self._longest_pause = settings.scheduler_pause_seconds
        self._wake = anyio.Event()

    def wake(self, event: Event[TaskChanged]) -> None:
        """Look again where a committed event may have brought a reminder that is due before the next look."""
        if event.data.task.reminders:
            self._wake.set()

    def background(self) -> Background:
        """The scheduler, for the app to run."""
        return Background("reminder scheduler", self.run)

    async def run(self) -> None:
        """Publish what is due, for ever."""
        measured = float("-inf")
        while True:
            self._wake = anyio.Event()
            if await self.publish_due(datetime.now(UTC)) == _BATCH:
                continue
            if (now := anyio.current_time()) - measured >= self._longest_pause:
                measured = now
                await self._measure()
            with anyio.move_on_after(await self._pause()):
                await self._wake.wait()

    async def publish_due(self, now: datetime) -> int:
        """Publish or drop one batch of the reminders that are due, and return how many these were."""
        async with self._database.transaction() as session:
            due = await _lock_due(session, now)
            dropped = {row.Reminder.id for row in due if now - row.Reminder.due_at > self._overdue}
            for row in due:
                if row.Reminder.id not in dropped:
                    await self._publish(session, row)
            if due:
                ids = [row.Reminder.id for row in due]
                await session.execute(update(Reminder).where(Reminder.id.in_(ids)).values(done_at=now))
        self._metrics.last_look.set_to_current_time()
        for row in due:
            self._tell(row, now, dropped=row.Reminder.id in dropped)
        if len(due) > len(dropped):
            self._outbox.wake()
        return len(due)

    async def _publish(self, session: AsyncSession, row: Due) -> None:
        reminder = row.Reminder
        data = ReminderDue(
            reminder_id=reminder.id,
            owner=reminder.owner,
            task_id=reminder.task_id,
            title=row.title,
            due_at=reminder.due_at,
            remind_at=reminder.remind_at,
            minutes_before=reminder.minutes_before,
        )
        # In the trace of the change that set the reminder.
        with working_on(row.traceparent, user=reminder.owner):
            event = new_event(
                REMINDER_DUE, data, source=self._service, subject=str(reminder.task_id), key=reminder.owner
            )
        # The same id whenever it were published again, from a restored database say: readers know it by that.
        await self._outbox.add(session, REMINDER_DUE, event.model_copy(update={"id": str(reminder.id)}))

    def _tell(self, row: Due, now: datetime, *, dropped: bool) -> None:
        """Count and log one that is committed."""
        delay = (now - row.Reminder.remind_at).total_seconds()
        self._metrics.reminders.labels("dropped" if dropped else "published").inc()
        if not dropped:
            self._metrics.reminder_delay_seconds.observe(delay)
        with working_on(row.traceparent, user=row.Reminder.owner):
            write = _log.warning if dropped else _log.info
            write(
                "reminder dropped: its task was due too long ago" if dropped else "reminder due",
                reminder_id=str(row.Reminder.id),
                task_id=str(row.Reminder.task_id),
                delay_seconds=delay,
            )

    async def _measure(self) -> None:
        async with self._database.transaction() as session:
            pending = await session.scalar(select(func.count()).select_from(Reminder).where(Reminder.done_at.is_(None)))
        self._metrics.pending.set(pending or 0)

    async def _pause(self) -> float:
        """Return the seconds until the next reminder is due, within bounds."""
        async with self._database.transaction() as session:
            soonest = await session.scalar(select(func.min(Reminder.remind_at)).where(Reminder.done_at.is_(None)))
        if soonest is None:
            return self._longest_pause
        seconds = (soonest - datetime.now(UTC)).total_seconds()
        return min(max(seconds, _SHORTEST_PAUSE_SECONDS), self._longest_pause)


async def _lock_due(session: AsyncSession, now: datetime) -> Sequence[Due]:
    """Lock the reminders that are due and that no other replica has locked, the oldest first."""
    statement = (
        select(Reminder, TrackedTask.title, TrackedTask.traceparent)
        .join(TrackedTask, TrackedTask.task_id == Reminder.task_id)
        .where(Reminder.done_at.is_(None), Reminder.remind_at <= now)
        .order_by(Reminder.remind_at)
        .limit(_BATCH)
        .with_for_update(of=Reminder, skip_locked=True)
    )
    return (await session.execute(statement)).all()

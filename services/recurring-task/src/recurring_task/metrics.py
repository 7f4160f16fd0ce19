"""The service's own metrics; every series is there from the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

OccurrenceOutcome = Literal["published", "duplicate", "ended", "refused"]
ReminderOutcome = Literal["published", "dropped"]

# Seconds; from a look in time to a service that was down for a day.
_DELAY_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0)


class RecurringTaskMetrics:
    """What was published, what waits, and whether the scheduler is alive."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.occurrences = Counter(
            "occurrences_published_total",
            "Completed recurring tasks by what came of them: published, duplicate (that occurrence was published"
            " before), ended (the series has no further one), refused (a rule or zone that is none).",
            ["outcome"],
            registry=registry,
        )
        self.reminders = Counter(
            "reminders_due_total",
            "Reminders whose time had come: published, or dropped (the task's due date is too long past).",
            ["outcome"],
            registry=registry,
        )
        self.reminder_delay_seconds = Histogram(
            "reminder_delay_seconds",
            "From a reminder's time to its publication.",
            buckets=_DELAY_BUCKETS,
            registry=registry,
        )
        self.pending = Gauge(
            "reminders_pending",
            "Reminders whose time has not come; each replica counts all of them: take the maximum, not the sum.",
            registry=registry,
        )
        self.last_look = Gauge(
            "scheduler_last_look_timestamp_seconds",
            "When the scheduler last looked for due reminders, in seconds since the epoch; the start, before that.",
            registry=registry,
        )
        self.last_look.set_to_current_time()
        for occurrence_outcome in get_args(OccurrenceOutcome):
            self.occurrences.labels(occurrence_outcome)
        for reminder_outcome in get_args(ReminderOutcome):
            self.reminders.labels(reminder_outcome)


def once_committed(session: AsyncSession, count: Callable[[], None]) -> None:
    """Call `count` when the session's transaction commits: what is rolled back and tried again counts once."""
    event.listen(session.sync_session, "after_commit", lambda _session: count(), once=True)

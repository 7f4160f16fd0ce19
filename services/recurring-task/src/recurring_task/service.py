"""Puts recurring-task together: settings → engine, messaging, handlers, scheduler → app."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from recurring_task import reminders
from recurring_task.metrics import RecurringTaskMetrics
from recurring_task.models import Base
from recurring_task.occurrences import Occurrences
from recurring_task.routes import reminder_router
from recurring_task.scheduler import Scheduler
from recurring_task.settings import RecurringTaskSettings
from servicekit.app import Service, create_app
from servicekit.dapr import Publisher
from servicekit.database import Database, create_engine
from servicekit.events import TASK_COMPLETED, TASK_EVENTS, Event, TaskChanged
from servicekit.messaging import create_messaging
from servicekit.metrics import Metrics

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: RecurringTaskSettings, publisher: Publisher | None = None) -> Service:
    """Build the service; nothing is connected before it runs."""
    metrics = Metrics()
    database = Database(create_engine(settings, application=settings.service_name), metrics)
    messaging = create_messaging(
        settings,
        service=settings.service_name,
        database=database,
        metadata=Base.metadata,
        registry=metrics.registry,
        publisher=publisher,
    )
    own = RecurringTaskMetrics(metrics.registry)
    occurrences = Occurrences(messaging.outbox, own, settings.service_name)
    scheduler = Scheduler(database, messaging.outbox, own, settings)

    async def on_change(session: AsyncSession, event: Event[TaskChanged]) -> None:
        await reminders.keep(session, event)
        if event.type == TASK_COMPLETED.type:
            await occurrences.follow(session, event)

    for kind in TASK_EVENTS:
        messaging.subscriptions.on(kind, on_change)
    messaging.subscriptions.after_commit(scheduler.wake)
    return create_app(
        settings,
        metrics=metrics,
        routers=[reminder_router(database)],
        database=database,
        messaging=messaging,
        background=[scheduler.background(), reminders.pruning(database)],
    )

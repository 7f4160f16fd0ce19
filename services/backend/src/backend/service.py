"""Puts the backend together: settings → engine, events, store, routers → app."""

from __future__ import annotations

from pathlib import Path

from backend.announcements import Announcer
from backend.faults import fault_router
from backend.metrics import TaskMetrics
from backend.models import Base
from backend.occurrences import OccurrenceMaker
from backend.routes import task_router
from backend.settings import BackendSettings
from backend.store import TaskStore
from servicekit.app import Service, create_app
from servicekit.dapr import Publisher
from servicekit.database import Database, create_engine
from servicekit.events import OCCURRENCE_DUE
from servicekit.messaging import create_messaging
from servicekit.metrics import Metrics

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: BackendSettings, publisher: Publisher | None = None) -> Service:
    """Build the service; nothing is connected before the app starts. Tests give a publisher of their own."""
    metrics, name = Metrics(), settings.service_name
    database = Database(create_engine(settings, application=name), metrics)
    messaging = create_messaging(
        settings,
        service=name,
        database=database,
        metadata=Base.metadata,
        registry=metrics.registry,
        publisher=publisher,
    )
    counted = TaskMetrics(metrics.registry)
    store = TaskStore(database, Announcer(messaging.outbox, name), counted)
    messaging.subscriptions.on(OCCURRENCE_DUE, OccurrenceMaker(store, counted).make)
    routers = [task_router(store)]
    if settings.faults_enabled:
        routers.append(fault_router(database, messaging.outbox, name))
    return create_app(settings, metrics=metrics, routers=routers, database=database, messaging=messaging)

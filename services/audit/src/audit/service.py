"""Puts audit together: settings → engine, messaging, recorder, routes → app."""

from __future__ import annotations

from pathlib import Path

from audit.metrics import AuditMetrics
from audit.models import Base
from audit.recorder import Recorder
from audit.routes import audit_router
from audit.settings import AuditSettings
from audit.verify import anchoring, checking
from servicekit.app import Service, create_app
from servicekit.dapr import Publisher
from servicekit.database import Database, create_engine
from servicekit.events import ALL_EVENTS
from servicekit.messaging import create_messaging
from servicekit.metrics import Metrics

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: AuditSettings, publisher: Publisher | None = None) -> Service:
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
    own = AuditMetrics(metrics.registry)
    recorder = Recorder(own)
    for kind in ALL_EVENTS:
        messaging.subscriptions.on(kind, recorder.record)
    return create_app(
        settings,
        metrics=metrics,
        routers=[audit_router(database)],
        database=database,
        messaging=messaging,
        background=[
            anchoring(database, own, settings.anchor_seconds),
            checking(database, own, settings.verify_seconds),
        ],
    )

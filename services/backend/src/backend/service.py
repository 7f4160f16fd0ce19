"""Puts the backend together: settings → engine, store, routers → app."""

from __future__ import annotations

from pathlib import Path

from backend.faults import fault_router
from backend.metrics import TaskMetrics
from backend.routes import task_router
from backend.settings import BackendSettings
from backend.store import TaskStore
from servicekit.app import Service, create_app
from servicekit.database import Database, create_engine
from servicekit.metrics import Metrics

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: BackendSettings) -> Service:
    """Build the service; nothing is connected before the first request."""
    metrics = Metrics()
    database = Database(create_engine(settings, application=settings.service_name), metrics)
    routers = [task_router(TaskStore(database), TaskMetrics(metrics.registry))]
    if settings.faults_enabled:
        routers.append(fault_router())
    return create_app(settings, metrics=metrics, routers=routers, database=database)

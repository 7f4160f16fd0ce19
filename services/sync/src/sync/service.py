"""Puts sync together: settings → streams, hub, announcements, routes → app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.app import Service, create_app
from servicekit.background import Background
from servicekit.dapr import Publisher
from servicekit.database import Database, create_engine
from servicekit.events import TASK_EVENTS, Event
from servicekit.messaging import create_messaging
from servicekit.metrics import Metrics
from servicekit.subscriptions import Handler, Refused
from sync.announce import Announcer, LocalAnnouncer, PostgresqlAnnouncer
from sync.hub import Hub
from sync.listener import Listener
from sync.metrics import SyncMetrics
from sync.models import Base
from sync.retention import Retention
from sync.routes import changes_router
from sync.settings import SyncSettings
from sync.sockets import Sockets
from sync.store import Store, record

MIGRATIONS = Path(__file__).parent / "migrations"

_log = structlog.stdlib.get_logger("sync.service")


def build(settings: SyncSettings, publisher: Publisher | None = None) -> Service:
    """Build the service; nothing is connected before it runs."""
    name, metrics = settings.service_name, Metrics()
    own = SyncMetrics(metrics.registry)
    engine = create_engine(settings, application=name)
    database = Database(engine, metrics)
    store = Store(database)
    hub = Hub(store, own, spread_seconds=settings.drain_spread_seconds)
    messaging = create_messaging(
        settings,
        service=name,
        database=database,
        metadata=Base.metadata,
        registry=metrics.registry,
        publisher=publisher,
    )
    retention = Retention(
        database, days=settings.changes_kept_days, per_owner=settings.changes_kept_per_owner, pruned=own.pruned
    )
    background = [hub.background(), retention.background()]
    announcer, listening = _announcements(engine.dialect.name, settings, hub, own)
    for kind in TASK_EVENTS:
        messaging.subscriptions.on(kind, _recorder(announcer, own))
    service = create_app(
        settings,
        metrics=metrics,
        routers=[Sockets(settings, hub, store, own).router(), changes_router(store)],
        database=database,
        messaging=messaging,
        background=[*background, *listening],
    )
    service.readiness.at_drain.append(hub.drain)
    return service


def _announcements(
    dialect: str, settings: SyncSettings, hub: Hub, metrics: SyncMetrics
) -> tuple[Announcer, list[Background]]:
    if dialect != "postgresql":
        return LocalAnnouncer(hub.grown), []
    listener = Listener(
        settings,
        application=settings.service_name,
        grown=hub.grown,
        catch_up=hub.catch_up,
        connected=metrics.listener_connected,
    )
    return PostgresqlAnnouncer(), [listener.background()]


def _recorder(announcer: Announcer, metrics: SyncMetrics) -> Handler:
    async def changed(session: AsyncSession, event: Event[Any]) -> None:
        before, after = event.data.before, event.data.after
        if before and after and (before.owner, before.id) != (after.owner, after.id):
            # Whose change this is cannot be known, and to guess could show it to the wrong user.
            raise Refused("before and after are not the same task of the same owner")
        sequence = await record(session, event)
        if sequence is None:
            metrics.stale.inc()
            _log.info("stale event skipped", type=event.type, event_id=event.id, version=event.data.task.version)
            return
        await announcer.announce(session, event.data.task.owner, sequence)

    return changed

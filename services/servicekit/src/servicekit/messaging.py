"""A service's side of the events: its outbox, its subscriptions, and the work behind both, put together once."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from sqlalchemy import MetaData

from servicekit.background import Background
from servicekit.dapr import DaprPublisher, Publisher
from servicekit.database import Database
from servicekit.event_metrics import EventMetrics
from servicekit.inbox import pruning
from servicekit.outbox import Outbox
from servicekit.settings import EventSettings
from servicekit.subscriptions import Subscriptions
from servicekit.tables import EventTables, event_tables


@dataclass(frozen=True)
class Messaging:
    """What `create_app` runs and serves for a service's events."""

    outbox: Outbox
    subscriptions: Subscriptions
    publisher: Publisher
    tables: EventTables
    background: tuple[Background, ...]


def create_messaging(
    settings: EventSettings,
    *,
    service: str,
    database: Database,
    metadata: MetaData,
    registry: CollectorRegistry,
    publisher: Publisher | None = None,
) -> Messaging:
    """Build a service's messaging on its own tables; tests give a publisher of their own."""
    tables, metrics = event_tables(metadata), EventMetrics(registry)
    publisher = publisher or DaprPublisher(settings)
    outbox = Outbox(database, tables, publisher, metrics, service)
    subscriptions = Subscriptions(settings, database, tables, outbox, metrics, service)
    return Messaging(outbox, subscriptions, publisher, tables, (outbox.background(), pruning(database, tables)))

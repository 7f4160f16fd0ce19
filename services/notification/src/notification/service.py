"""Puts notification together: settings → engine, queue, senders, worker, routers → app."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi

from notification.addresses import AddressPolicy, Resolver, SystemResolver
from notification.channels import ChannelStore
from notification.clock import Clock, utc_now
from notification.consumer import Consumer
from notification.deliveries import DeliveryStore
from notification.housekeeping import forgetting, measuring
from notification.metrics import NotificationMetrics
from notification.models import Base, ChannelKind
from notification.outcomes import Sender
from notification.queue import DeliveryQueue
from notification.receiver import receiver_router
from notification.routes import channel_router, delivery_router
from notification.settings import NotificationSettings
from notification.smtp import MailSender
from notification.webhook import WebhookSender
from notification.worker import Worker
from servicekit.app import Service, create_app
from servicekit.dapr import Publisher
from servicekit.database import Database, create_engine
from servicekit.messaging import Messaging, create_messaging
from servicekit.metrics import Metrics

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Parts:
    """The service, and what tests drive by hand."""

    service: Service
    database: Database
    messaging: Messaging
    queue: DeliveryQueue
    worker: Worker
    deliveries: DeliveryStore


def build(settings: NotificationSettings, publisher: Publisher | None = None) -> Service:
    """Build the service; nothing is connected before the first request."""
    return assemble(settings, publisher).service


def assemble(
    settings: NotificationSettings,
    publisher: Publisher | None = None,
    *,
    clock: Clock = utc_now,
    resolve: Resolver | None = None,
) -> Parts:
    """Build the service and return it with its parts; tests give a clock and a resolver of their own."""
    metrics = Metrics()
    own_metrics = NotificationMetrics(metrics.registry)
    database = Database(create_engine(settings, application=settings.service_name), metrics)
    messaging = create_messaging(
        settings,
        service=settings.service_name,
        database=database,
        metadata=Base.metadata,
        registry=metrics.registry,
        publisher=publisher,
    )
    policy = AddressPolicy(settings.webhook_allowed_hosts, settings.webhook_refused_networks)
    tls = _tls(settings)
    senders: dict[str, Sender] = {
        ChannelKind.WEBHOOK: WebhookSender(settings, policy, tls, clock, resolve or SystemResolver()),
        ChannelKind.EMAIL: MailSender(settings, tls, clock),
    }
    queue = DeliveryQueue(settings, database, messaging.outbox, clock)
    worker = Worker(settings, queue, senders, own_metrics, clock)
    Consumer(clock).subscribe(messaging.subscriptions)
    messaging.subscriptions.after_commit(lambda _event: worker.wake())
    deliveries = DeliveryStore(settings, database, clock)
    routers = [
        channel_router(ChannelStore(settings, database, policy, clock)),
        delivery_router(deliveries, worker.wake),
    ]
    if settings.faults_enabled:
        routers.append(receiver_router())
    service = create_app(
        settings,
        metrics=metrics,
        routers=routers,
        database=database,
        messaging=messaging,
        background=[worker.background(), measuring(queue, own_metrics), forgetting(deliveries)],
    )
    return Parts(service, database, messaging, queue, worker, deliveries)


def _tls(settings: NotificationSettings) -> ssl.SSLContext:
    """The public authorities (certifi's, as httpx trusts) and those of the operator."""
    context = ssl.create_default_context(cafile=certifi.where())
    if settings.trusted_ca_file is not None:
        context.load_verify_locations(settings.trusted_ca_file)
    return context

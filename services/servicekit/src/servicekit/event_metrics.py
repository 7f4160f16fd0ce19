"""What every service counts of its events; the labels are types that we know, and outcomes."""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from servicekit.events import ALL_EVENTS

Published = Literal["published", "failed"]
Consumed = Literal["done", "duplicate", "ignored", "retried", "dead"]

UNKNOWN_TYPE = "unknown"
_DELAY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_WORK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class EventMetrics:
    """Counters of what was published and consumed, and the state of the outbox."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = Counter(
            "events_published_total", "Events handed to the broker, by type.", ["type", "outcome"], registry=registry
        )
        self.consumed = Counter(
            "events_consumed_total",
            "Deliveries answered, by type: done, duplicate, ignored, retried, dead (given to the dead letters).",
            ["type", "outcome"],
            registry=registry,
        )
        self.delay_seconds = Histogram(
            "event_delay_seconds",
            "From an event's own time to its effect here, by type.",
            ["type"],
            buckets=_DELAY_BUCKETS,
            registry=registry,
        )
        self.handling_seconds = Histogram(
            "event_handling_duration_seconds",
            "Time that one delivery took here, by type.",
            ["type"],
            buckets=_WORK_BUCKETS,
            registry=registry,
        )
        self.pending = Gauge("outbox_pending_events", "Events committed and not yet published.", registry=registry)
        self.oldest_seconds = Gauge(
            "outbox_oldest_event_age_seconds",
            "Age of the oldest unpublished event; 0 if none.",
            registry=registry,
        )
        # Series that are there from the start let rate() see the first event.
        for kind in ALL_EVENTS:
            for published in get_args(Published):
                self.published.labels(kind.type, published)
        self.expect(UNKNOWN_TYPE)

    def expect(self, event_type: str) -> None:
        """Begin the series of a type that is consumed here, at zero."""
        for consumed in get_args(Consumed):
            self.consumed.labels(event_type, consumed)
        self.handling_seconds.labels(event_type)
        if event_type != UNKNOWN_TYPE:
            self.delay_seconds.labels(event_type)

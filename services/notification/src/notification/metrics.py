"""Notification's own metrics; every series is there from the start."""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from notification.models import ChannelKind

Outcome = Literal["delivered", "retried", "dead"]

_ATTEMPT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# From at once to the end of the default schedule of attempts.
_DELAY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)


class NotificationMetrics:
    """Counts attempts by what came of them, and times them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sent = Counter(
            "notifications_sent_total",
            "Attempts to deliver, by channel: delivered, retried (to be tried again), dead (given up).",
            ["channel", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "notification_delivery_duration_seconds",
            "Time of one attempt, failed ones included, by channel.",
            ["channel"],
            buckets=_ATTEMPT_BUCKETS,
            registry=registry,
        )
        self._delay = Histogram(
            "notification_delay_seconds",
            "From an event's own time to its delivery.",
            buckets=_DELAY_BUCKETS,
            registry=registry,
        )
        self._pending = Gauge(
            "notification_deliveries_pending",
            "Deliveries that are neither delivered nor dead, in the whole database: the same in every replica.",
            registry=registry,
        )
        for channel in ChannelKind:
            self._seconds.labels(channel)
            for outcome in get_args(Outcome):
                self._sent.labels(channel, outcome)

    def attempted(self, channel: str, seconds: float) -> None:
        """Record how long one attempt took."""
        self._seconds.labels(channel).observe(seconds)

    def settled(self, channel: str, outcome: Outcome) -> None:
        """Count what came of one attempt."""
        self._sent.labels(channel, outcome).inc()

    def delivered_after(self, seconds: float) -> None:
        """Record how long after its event a delivery was made."""
        self._delay.observe(max(seconds, 0))

    def pending(self, count: int) -> None:
        """Set how many deliveries wait."""
        self._pending.set(count)

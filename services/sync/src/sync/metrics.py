"""What sync counts of its connections; every series is there from the start."""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sync.close_codes import KNOWN_CODES, OTHER, code_label

Outcome = Literal[
    "accepted", "unauthorized", "forbidden", "limited", "bad_request", "resume_refused", "draining", "failed"
]
MessageType = Literal["hello", "change", "heartbeat"]

_DELAY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LIFETIME_BUCKETS = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)


class SyncMetrics:
    """Gauges, counters and histograms of this replica's connections."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.active = Gauge("websocket_connections_active", "Connections that are open now.", registry=registry)
        self.attempts = Counter(
            "websocket_connections_total",
            "Connections asked for, by outcome: accepted, or why not.",
            ["outcome"],
            registry=registry,
        )
        self._closed = Counter(
            "websocket_connections_closed_total",
            "Connections closed, those that were refused included, by close code.",
            ["code"],
            registry=registry,
        )
        self.sent = Counter(
            "websocket_messages_sent_total", "Messages given to the network, by type.", ["type"], registry=registry
        )
        self.fanout_seconds = Histogram(
            "websocket_fanout_delay_seconds",
            "From an event's own time to its being sent on one connection; what a client had missed is left out.",
            buckets=_DELAY_BUCKETS,
            registry=registry,
        )
        self.lifetime_seconds = Histogram(
            "websocket_connection_lifetime_seconds",
            "How long accepted connections lasted.",
            buckets=_LIFETIME_BUCKETS,
            registry=registry,
        )
        self.listener_connected = Gauge(
            "websocket_listener_connected",
            "1 while notifications of the database reach this replica, else 0.",
            registry=registry,
        )
        self.stale = Counter(
            "sync_stale_events_total",
            "Events of an older version of a task than its owner's clients already had; they are not sent.",
            registry=registry,
        )
        self.pruned = Counter("sync_changes_pruned_total", "Changes that retention removed.", registry=registry)
        for outcome in get_args(Outcome):
            self.attempts.labels(outcome)
        for label in (*map(code_label, sorted(KNOWN_CODES)), OTHER):
            self._closed.labels(label)
        for message_type in get_args(MessageType):
            self.sent.labels(message_type)

    def closed(self, code: int) -> None:
        """Count a connection that ended with a code."""
        self._closed.labels(code_label(code)).inc()

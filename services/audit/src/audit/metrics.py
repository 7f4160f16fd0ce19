"""Audit's own metrics."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from servicekit.events import ALL_EVENTS


class AuditMetrics:
    """Counts entries by type, and tells how long the chain is and whether it holds; all series are there at once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._entries = Counter("audit_entries_total", "Events written down, by type.", ["type"], registry=registry)
        self._append_seconds = Histogram(
            "audit_append_duration_seconds",
            "Time to append one entry, the wait for the chain's head included.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
            registry=registry,
        )
        self.length = Gauge("audit_chain_length", "Entries in the chain, as last looked at.", registry=registry)
        self._valid = Gauge(
            "audit_chain_valid",
            "1 where the last check of the whole chain found it as it was written, 0 where not; NaN before.",
            registry=registry,
        )
        self._valid.set(math.nan)
        self._checked = Gauge(
            "audit_chain_last_check_timestamp_seconds",
            "When the whole chain was last checked, in seconds since the epoch; the start, before that.",
            registry=registry,
        )
        self._checked.set_to_current_time()
        for kind in ALL_EVENTS:
            self._entries.labels(kind.type)

    def appended(self, event_type: str, sequence: int, seconds: float) -> None:
        """Count one entry that is committed."""
        self._entries.labels(event_type).inc()
        self._append_seconds.observe(seconds)
        self.length.set(sequence)

    def checked(self, valid: bool) -> None:
        """Tell what a check of the whole chain found."""
        self._valid.set(valid)
        self._checked.set_to_current_time()

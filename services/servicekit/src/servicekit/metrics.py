"""The metrics that every service has. Each app owns its registry, so that tests never share counts."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

# A `*_created` gauge per series doubles the series, and `tasks_created_created` reads like a mistake.
disable_created_metrics()  # type: ignore[no-untyped-call]

UNMATCHED_ROUTE = "unmatched"
OTHER_METHOD = "other"
OTHER_OPERATION = "other"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OPERATIONS = frozenset({"select", "insert", "update", "delete"})

_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def bounded_method(method: str) -> str:
    """Return a known method as it is and `other` for the rest: clients may send any word as a method."""
    return method if method in METHODS else OTHER_METHOD


class Metrics:
    """HTTP and database metrics with bounded labels, and the registry that a service adds its own to."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = Counter(
            "http_requests_total",
            "Requests served, by method, route template and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's first byte to its response's last, by method and route template.",
            ["method", "route"],
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._query_seconds = Histogram(
            "database_query_duration_seconds",
            "Time of one statement in the database, failed ones included, by operation.",
            ["operation"],
            buckets=_QUERY_BUCKETS,
            registry=self.registry,
        )
        # Series that are there from the start let rate() see the first event.
        for operation in (*OPERATIONS, OTHER_OPERATION):
            self._query_seconds.labels(operation)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; the caller bounds both labels (`bounded_method`, `route_template`)."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def observe_query(self, statement: str, seconds: float) -> None:
        """Record one statement's time under its first word, or under `other`."""
        words = statement.split(maxsplit=1)
        word = words[0].lower() if words else ""
        operation = word if word in OPERATIONS else OTHER_OPERATION
        self._query_seconds.labels(operation).observe(seconds)

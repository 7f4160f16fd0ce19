"""Figures → a file of metrics: for node-exporter's textfile collector, or for whoever serves files to Prometheus.

Format: OpenMetrics 1.0, of which only gauges without a time are used, so that readers of Prometheus' older format take
it too (https://prometheus.io/docs/instrumenting/exposition_formats/). A figure that there is none of is left out: a 0
or a NaN would be taken for a value.
"""

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

from sluice.delivery.figures import Figures

_METRICS: tuple[tuple[str, str, Callable[[Figures], float | None]], ...] = (
    ("deployments", "Deployments that ended in the window.", lambda one: one.deployments),
    ("deployments_failed", "Deployments of the window that took an intervention.", lambda one: one.failed),
    ("deployments_unrecovered", "Failed ones after which nothing was verified yet.", lambda one: one.unrecovered),
    ("deployment_frequency_per_day", "Deployments a day.", lambda one: one.frequency),
    ("lead_time_seconds", "From commit to verified deployment, the median over commits.", lambda one: one.lead_time),
    ("change_failure_ratio", "Share of deployments that took an intervention.", lambda one: one.failure_rate),
    (
        "recovery_time_seconds",
        "From a deployment's failure to the next verified release, the median.",
        lambda one: one.recovery_time,
    ),
    ("window_seconds", "The time that the figures are of.", lambda one: one.until - one.since),
    ("computed_timestamp_seconds", "When they were computed, since the epoch.", lambda one: one.until),
)


def exposition(found: Sequence[Figures]) -> bytes:
    """Return the figures of targets as OpenMetrics, UTF-8: `sluice_delivery_…` with the label `target`."""
    registry = CollectorRegistry()
    for name, meaning, value_of in _METRICS:
        gauge = Gauge(f"sluice_delivery_{name}", meaning, ("target",), registry=registry)
        for one in found:
            value = value_of(one)
            if value is not None:
                gauge.labels(one.target).set(value)
    return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]

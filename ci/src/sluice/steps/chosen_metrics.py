"""What is asked of Prometheus about a failed test: few questions, in the order in which one would ask them."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Question:
    """A query and how its answer is read; `{namespace}` in it is that of the services.

    `least` is the largest change that is not worth telling, in the unit of the value.
    """

    title: str
    kind: Literal["counter", "gauge"]
    query: str
    least: float = 0.0
    unit: str = ""

    def of(self, namespace: str) -> "Question":
        """The question with its namespace filled in."""
        return replace(self, query=self.query.replace("{namespace}", namespace))


# Probes and scrapes go on whatever happens.
_SERVED = 'namespace="{namespace}",route!~"/healthz|/readyz|/metrics"'
_QUANTILE = "histogram_quantile(0.95, sum by (service, le) (rate(%s[1m])))"
_RESTARTS = "kube_pod_container_status_restarts_total or kube_pod_init_container_status_restarts_total"
RESTARTS = f"sum by (namespace, pod, container) ({_RESTARTS})"
_MEMORY = 'max by (namespace, pod, container) (container_memory_working_set_bytes{container!=""})'
_LIMIT = 'max by (namespace, pod, container) (kube_pod_container_resource_limits{resource="memory"})'
_REQUESTS = "sum by (service, method, route, status)"

QUESTIONS = (
    Question("requests failed (5xx)", "counter", f'{_REQUESTS} (http_requests_total{{{_SERVED},status=~"5.."}})'),
    Question("targets that answer", "gauge", "min by (namespace, job, pod) (up)"),
    Question("containers started again", "counter", RESTARTS),
    Question("pods ready", "gauge", 'max by (namespace, pod) (kube_pod_status_ready{condition="true"})'),
    Question(
        "replicas available", "gauge", "max by (namespace, deployment) (kube_deployment_status_replicas_available)"
    ),
    Question(
        "nodes: share of the time in which something waited for a core",
        "gauge",
        "max by (instance) (rate(node_pressure_cpu_waiting_seconds_total[1m]))",
        least=0.3,
    ),
    Question(
        "nodes: share of the time in which something waited for the disk",
        "gauge",
        "max by (instance) (rate(node_pressure_io_waiting_seconds_total[1m]))",
        least=0.2,
    ),
    Question("containers out of memory", "counter", "sum by (namespace, pod, container) (container_oom_events_total)"),
    Question("memory, as a share of its limit", "gauge", f"{_MEMORY} / {_LIMIT}", least=0.1),
    Question("requests served", "counter", f'{_REQUESTS} (http_requests_total{{{_SERVED},status!~"5.."}})'),
    Question(
        "p95 of requests, of the minute before",
        "gauge",
        _QUANTILE % f"http_request_duration_seconds_bucket{{{_SERVED}}}",
        least=0.05,
        unit="s",
    ),
    Question("events in the outbox", "gauge", 'max by (service) (outbox_pending_events{namespace="{namespace}"})'),
    Question(
        "oldest event in the outbox",
        "gauge",
        'max by (service) (outbox_oldest_event_age_seconds{namespace="{namespace}"})',
        least=1,
        unit="s",
    ),
    Question(
        "events published",
        "counter",
        'sum by (service, type, outcome) (events_published_total{namespace="{namespace}"})',
    ),
    Question(
        "deliveries answered",
        "counter",
        'sum by (service, type, outcome) (events_consumed_total{namespace="{namespace}"})',
    ),
    Question(
        "p95 from event to effect, of the minute before",
        "gauge",
        _QUANTILE % 'event_delay_seconds_bucket{namespace="{namespace}"}',
        least=0.25,
        unit="s",
    ),
    Question(
        "sidecars: deliveries tried again or dropped",
        "counter",
        "sum by (app_id, topic, process_status)"
        ' (dapr_component_pubsub_ingress_count{namespace="{namespace}",process_status!="success"})',
    ),
    Question(
        "sidecars: publishing failed",
        "counter",
        'sum by (app_id, topic) (dapr_component_pubsub_egress_count{namespace="{namespace}",success="false"})',
    ),
    Question(
        "notifications", "counter", 'sum by (channel, outcome) (notifications_sent_total{namespace="{namespace}"})'
    ),
    Question("WebSockets open", "gauge", 'sum by (pod) (websocket_connections_active{namespace="{namespace}"})'),
    Question(
        "WebSockets closed",
        "counter",
        'sum by (pod, code) (websocket_connections_closed_total{namespace="{namespace}"})',
    ),
    Question(
        "database: connections",
        "gauge",
        'sum by (datname) (pg_stat_database_numbackends{namespace="{namespace}",datname!=""})',
        least=2,
    ),
    Question(
        "database: transactions rolled back",
        "counter",
        'sum by (datname) (pg_stat_database_xact_rollback{namespace="{namespace}",datname!=""})',
    ),
    Question(
        "database: deadlocks", "counter", 'sum by (datname) (pg_stat_database_deadlocks{namespace="{namespace}"})'
    ),
)
LAG = Question(
    "messages not yet confirmed", "gauge",
    'sum by (consumergroup, topic) (kafka_consumergroup_lag{namespace="{namespace}"})',
)  # fmt: skip
LOADED = Question(
    "components loaded", "gauge", 'sum by (app_id, pod) (dapr_runtime_component_loaded{namespace="{namespace}"})'
)
ALERTS = Question("alerts", "gauge", 'ALERTS{alertname!="Watchdog"}')  # that one always fires

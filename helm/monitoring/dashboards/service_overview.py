"""Service Overview: are the services answering, how fast, with what errors, and what do they use."""

from grafana_foundation_sdk.models import units

from .database import database
from .panels import Board, Limits, metric_values, metrics_source, promql, quantile

REQUESTS = "sum by (service) (rate(http_requests_total{<served>}[$__rate_interval]))"
# `or 0 *`: a service without an error has no series of errors, and a ratio of 0 all the same.
ERRORS = f"""
    sum by (service) (rate(http_requests_total{{<served>, status=~"5.."}}[$__rate_interval])) or 0 * {REQUESTS}"""
SERVED = "http_request_duration_seconds_bucket{<served>}"
ERROR_LIMITS = Limits(0.01, 0.05)
LATENCY_LIMITS = Limits(0.25, 0.5)


def board() -> Board:
    """The dashboard."""
    board = Board(
        "service-overview",
        "Service Overview",
        "Rate, errors and duration of each service, and what it uses. Start here when somebody says that it is slow.",
        [
            metrics_source(),
            metric_values("namespace", "Namespace", "label_values(http_requests_total, namespace)", first="default"),
            metric_values(
                "service",
                "Service",
                'label_values(http_requests_total{namespace="$namespace"}, service)',
                several=True,
            ),
        ],
    )
    _glance(board)
    _requests(board)
    database(board)
    _resources(board)
    _tasks(board)
    return board


def _glance(board: Board) -> None:
    board.row("At a glance")
    board.stat(
        "Pods that answer",
        "Of all pods of these services, the share that Prometheus reaches. The sidecars' targets are not counted.",
        units.PercentUnit,
        promql("avg(up{<own>})"),
        limits=Limits(1, 0.5, falling=True),
        alerts=["ServiceAbsent", "ServiceUnavailable"],
    )
    board.stat(
        "Alerts that fire",
        "Alerts on these services that fire now, the dead man's switch left out.",
        units.Short,
        promql('sum(ALERTS{<service>, alertstate="firing", alertname!="Watchdog"}) or vector(0)'),
        limits=Limits(1, 3),
    )
    board.stat(
        "Requests",
        "Requests in each second, deliveries of events among them; probes and scrapes are left out.",
        units.RequestsPerSecond,
        promql("sum(rate(http_requests_total{<served>}[$__rate_interval]))"),
    )
    board.stat(
        "Error ratio",
        "Requests answered with 5xx, of all.",
        units.PercentUnit,
        promql(f"sum({ERRORS}) / sum({REQUESTS})"),
        limits=ERROR_LIMITS,
        alerts=["ServiceErrorRatioHigh"],
    )
    board.stat(
        "p95 latency",
        "95 % of the requests are served within this time.",
        units.Seconds,
        promql(quantile(0.95, SERVED)),
        limits=LATENCY_LIMITS,
        alerts=["ServiceLatencyHigh"],
    )
    board.stat(
        "Restarts",
        "How often containers of these services, sidecars included, were started again within the time range.",
        units.Short,
        promql(
            """round((sum(increase(kube_pod_container_status_restarts_total{<pods>}[$__range])) or vector(0))
               + (sum(increase(kube_pod_init_container_status_restarts_total{<pods>}[$__range])) or vector(0)))"""
        ),
        limits=Limits(1, 3),
        alerts=["PodCrashLooping"],
    )


def _requests(board: Board) -> None:
    board.row("Requests")
    board.graph(
        "Requests by service",
        "Requests in each second, deliveries of events among them.",
        units.RequestsPerSecond,
        promql(REQUESTS, "{{service}}"),
        alerts=["ServiceTrafficGone"],
    )
    board.graph(
        "Error ratio by service",
        "Requests answered with 5xx, of all of that service.",
        units.PercentUnit,
        promql(f"({ERRORS}) / {REQUESTS}", "{{service}}"),
        limits=ERROR_LIMITS,
        alerts=["ServiceErrorRatioHigh"],
    )
    board.graph(
        "p95 latency by service",
        "95 % of the requests of a service are served within this time.",
        units.Seconds,
        promql(quantile(0.95, SERVED, "service"), "{{service}}"),
        limits=LATENCY_LIMITS,
        alerts=["ServiceLatencyHigh"],
    )
    board.graph(
        "Latency of all",
        "The chosen services together: the usual request, a slow one, the slowest of a hundred.",
        units.Seconds,
        promql(quantile(0.5, SERVED), "p50"),
        promql(quantile(0.95, SERVED), "p95"),
        promql(quantile(0.99, SERVED), "p99"),
    )
    board.graph(
        "Responses by status",
        "Responses in each second, by status.",
        units.RequestsPerSecond,
        promql("sum by (status) (rate(http_requests_total{<served>}[$__rate_interval]))", "{{status}}"),
    )
    board.graph(
        "Server errors by route",
        "Responses with 5xx in each second: which route fails, and of which service.",
        units.RequestsPerSecond,
        promql(
            """sum by (service, method, route) (
                 rate(http_requests_total{<served>, status=~"5.."}[$__rate_interval])) > 0""",
            "{{service}} {{method}} {{route}}",
        ),
        alerts=["ServiceErrorRatioHigh"],
    )
    board.bars(
        "Busiest routes",
        "The ten routes with the most requests.",
        units.RequestsPerSecond,
        promql(
            "topk(10, sum by (service, method, route) (rate(http_requests_total{<served>}[$__rate_interval])))",
            "{{service}} {{method}} {{route}}",
        ),
        width=12,
    )
    board.bars(
        "Slowest routes",
        "The ten routes whose p95 is the longest; a route without a request has none.",
        units.Seconds,
        promql(f"topk(10, {quantile(0.95, SERVED, 'service', 'method', 'route')})", "{{service}} {{method}} {{route}}"),
        width=12,
    )


def _resources(board: Board) -> None:
    board.row("What they use")
    board.graph(
        "CPU of the busiest pod, by service",
        "Cores that a service's own process uses, without its sidecar. One event loop has one core, and no more.",
        units.Short,
        promql(
            """max by (service) (rate(process_cpu_seconds_total{<own>}[$__rate_interval])
                 * on (namespace, service, pod, job) group_left () python_info)""",
            "{{service}}",
        ),
        limits=Limits(0.7, 0.9),
        alerts=["ServiceCpuSaturated"],
    )
    board.graph(
        "Memory of its limit, by pod",
        "The part of its memory limit that a container uses; at 100 % the kernel kills it.",
        units.PercentUnit,
        promql(
            """max by (pod, container) (container_memory_working_set_bytes{<pods>, container!=""})
               / on (pod, container)
               max by (pod, container) (kube_pod_container_resource_limits{<pods>, resource="memory"})""",
            "{{pod}} {{container}}",
        ),
        limits=Limits(0.8, 0.9),
        alerts=["ContainerMemoryNearLimit", "ContainerOomKilled"],
    )
    board.graph(
        "Throttled CPU periods, by pod",
        "The part of its scheduling periods in which a container wanted more than its CPU limit.",
        units.PercentUnit,
        promql(
            """sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{<pods>, container!=""}[$__rate_interval]))
               / sum by (pod) (rate(container_cpu_cfs_periods_total{<pods>, container!=""}[$__rate_interval]))""",
            "{{pod}}",
        ),
        limits=Limits(0.25, 0.5),
        alerts=["ContainerThrottled"],
    )
    board.graph(
        "Replicas that are ready",
        "Of the pods that each service should have, those that take requests.",
        units.PercentUnit,
        promql(
            """namespace_service:kube_deployment_status_replicas_ready:sum{<service>}
               / namespace_service:kube_deployment_spec_replicas:sum""",
            "{{service}}",
        ),
        limits=Limits(1, 0.5, falling=True),
        alerts=["ServiceReplicasMissing", "PodNotReady"],
    )
    board.graph(
        "Room of the autoscalers",
        "Replicas that an autoscaler wants, of those that it may have: at 100 % it can add none.",
        units.PercentUnit,
        promql(
            """kube_horizontalpodautoscaler_status_desired_replicas{<namespace>, horizontalpodautoscaler=~"$service"}
               / kube_horizontalpodautoscaler_spec_max_replicas""",
            "{{horizontalpodautoscaler}}",
        ),
        limits=Limits(0.9, 1),
        alerts=["AutoscalerAtMaximum"],
    )
    board.graph(
        "Open files, by service",
        "The part of the files and connections that a process may open, the fullest pod of each service.",
        units.PercentUnit,
        promql("max by (service) (process_open_fds{<own>} / process_max_fds)", "{{service}}"),
        limits=Limits(0.7, 0.9),
        alerts=["ProcessFileDescriptorsLow"],
    )


def _tasks(board: Board) -> None:
    board.row("Tasks")
    for done, word in (("created", "Created"), ("completed", "Completed")):
        board.graph(
            f"{word} tasks",
            f"Tasks that were {done} in each minute, by priority.",
            units.Short,
            promql(f"sum by (priority) (rate(tasks_{done}_total{{<service>}}[$__rate_interval])) * 60", "{{priority}}"),
            width=12,
        )

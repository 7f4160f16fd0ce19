"""WebSocket Metrics: who is connected, how fast changes reach them, and how connections end."""

from grafana_foundation_sdk.models import units

from .panels import Board, Limits, metric_values, metrics_source, promql, quantile

FANOUT = "websocket_fanout_delay_seconds_bucket{<service>}"
FANOUT_LIMITS = Limits(1, 2.5)
# Where every service is chosen, only those that have WebSockets are meant.
OF_WEBSOCKETS = "{<service>} and on (namespace, service) websocket_connections_active"
# Lost; and what the service ends for a failure of its own, for want of room, or because it could not send fast enough.
BAD_CODES = 'code=~"1006|1011|1013|4429"'


def board() -> Board:
    """The dashboard."""
    board = Board(
        "websocket-metrics",
        "WebSocket Metrics",
        "Connections, their changes and their ends, for each service that has WebSockets.",
        [
            metrics_source(),
            metric_values(
                "namespace", "Namespace", "label_values(websocket_connections_active, namespace)", first="default"
            ),
            metric_values(
                "service",
                "Service",
                'label_values(websocket_connections_active{namespace="$namespace"}, service)',
                several=True,
            ),
        ],
    )
    _glance(board)
    _connections(board)
    _changes(board)
    _replicas(board)
    return board


def _glance(board: Board) -> None:
    board.row("At a glance")
    board.stat(
        "Open connections",
        "Connections that are open now, on all replicas.",
        units.Short,
        promql("sum(websocket_connections_active{<service>})"),
        alerts=["WebSocketConnectionsDropping"],
    )
    board.stat(
        "Attempts",
        "Connections asked for in each minute, refused ones included.",
        units.Short,
        promql("sum(rate(websocket_connections_total{<service>}[$__rate_interval])) * 60"),
    )
    board.stat(
        "Refused",
        "Of the connections asked for within the time range, those that were not accepted.",
        units.PercentUnit,
        promql(
            """1 - sum(increase(websocket_connections_total{<service>, outcome="accepted"}[$__range]))
                 / sum(increase(websocket_connections_total{<service>}[$__range]))"""
        ),
    )
    board.stat(
        "Ended badly",
        "Connections within the time range that were lost, or that the service ended for a failure of its own.",
        units.Short,
        promql(f"round(sum(increase(websocket_connections_closed_total{{<service>, {BAD_CODES}}}[$__range])))"),
        alerts=["WebSocketConnectionsFailing", "WebSocketSlowClientsCut"],
    )
    board.stat(
        "p95 fan-out delay",
        "95 % of the changes are sent to a client within this time.",
        units.Seconds,
        promql(quantile(0.95, FANOUT)),
        limits=FANOUT_LIMITS,
        alerts=["WebSocketFanoutSlow"],
    )
    board.stat(
        "Replicas that hear the database",
        "The share of replicas that notifications of the database reach; one that hears none sends no change.",
        units.PercentUnit,
        promql("avg(websocket_listener_connected{<service>})"),
        limits=Limits(1, 0.5, falling=True),
        alerts=["WebSocketListenerLost"],
    )


def _connections(board: Board) -> None:
    board.row("Connections")
    board.graph(
        "Open connections by pod",
        "Connections that are open, on each replica.",
        units.Short,
        promql("sum by (pod) (websocket_connections_active{<service>})", "{{pod}}"),
        alerts=["WebSocketConnectionsDropping"],
    )
    board.graph(
        "Attempts by outcome",
        "Connections asked for in each second: accepted, or why not.",
        units.OpsPerSecond,
        promql(
            "sum by (outcome) (rate(websocket_connections_total{<service>}[$__rate_interval]))",
            "{{outcome}}",
        ),
        alerts=["WebSocketHandshakesFailing", "WebSocketTokensRefused"],
    )
    board.graph(
        "Ends by close code",
        "Connections that ended in each second; 1000 and 1001 are the usual ones, 1012 is a restart, 1006 a loss.",
        units.OpsPerSecond,
        promql(
            "sum by (code) (rate(websocket_connections_closed_total{<service>}[$__rate_interval])) > 0",
            "{{code}}",
        ),
        alerts=["WebSocketConnectionsFailing", "WebSocketCatchUpFailing"],
    )
    board.bars(
        "How long connections lasted",
        "Of the connections that ended within the time range, the usual one and a long one.",
        units.Seconds,
        *(
            promql(
                f"""histogram_quantile({share}, sum by (le) (
                      increase(websocket_connection_lifetime_seconds_bucket{{<service>}}[$__range]))) >= 0""",
                f"p{100 * share:g}",
            )
            for share in (0.5, 0.9)
        ),
        width=12,
    )
    board.bars(
        "Refusals",
        "Connections within the time range that were not accepted, by reason.",
        units.Short,
        promql(
            """round(sum by (outcome) (
                 increase(websocket_connections_total{<service>, outcome!="accepted"}[$__range])))""",
            "{{outcome}}",
        ),
        width=12,
        alerts=["WebSocketCapacityReached", "WebSocketTokensRefused"],
    )


def _changes(board: Board) -> None:
    board.row("Changes")
    board.graph(
        "Messages by type",
        "Messages given to the network in each second.",
        units.MessagesPerSecond,
        promql("sum by (type) (rate(websocket_messages_sent_total{<service>}[$__rate_interval]))", "{{type}}"),
        alerts=["WebSocketNothingSent"],
    )
    board.graph(
        "Fan-out delay",
        "From an event's own time to its being sent on a connection; what a client had missed is left out.",
        units.Seconds,
        promql(quantile(0.5, FANOUT), "p50"),
        promql(quantile(0.95, FANOUT), "p95"),
        promql(quantile(0.99, FANOUT), "p99"),
        limits=FANOUT_LIMITS,
        alerts=["WebSocketFanoutSlow"],
    )
    board.graph(
        "p95 fan-out delay by pod",
        "Whether one replica is slower than the others.",
        units.Seconds,
        promql(quantile(0.95, FANOUT, "pod"), "{{pod}}"),
        limits=FANOUT_LIMITS,
        alerts=["WebSocketFanoutSlow"],
    )
    board.graph(
        "Stale events",
        "Events of an older version of a task than its owner's clients had already; they are not sent.",
        units.EventsPerSecond,
        promql("sum by (pod) (rate(sync_stale_events_total{<service>}[$__rate_interval]))", "{{pod}}"),
        width=12,
        alerts=["SyncEventsStale"],
    )
    board.graph(
        "Changes that retention removed",
        "Changes removed in each second: a client that was away for longer has to read everything anew.",
        units.OpsPerSecond,
        promql("sum by (pod) (rate(sync_changes_pruned_total{<service>}[$__rate_interval]))", "{{pod}}"),
        width=12,
    )


def _replicas(board: Board) -> None:
    board.row("Replicas")
    board.graph(
        "Hears the database, by pod",
        "1 while notifications of the database reach the replica, else 0.",
        units.Short,
        promql("min by (pod) (websocket_listener_connected{<service>})", "{{pod}}"),
        limits=Limits(1, 1, falling=True),
        alerts=["WebSocketListenerLost"],
    )
    board.graph(
        "Memory by pod",
        "Resident memory of the service's process, which grows with its connections.",
        units.BytesIEC,
        promql(
            """max by (pod) (process_resident_memory_bytes{<own>}
                 and on (namespace, pod, job) websocket_connections_active)""",
            "{{pod}}",
        ),
    )
    board.graph(
        "Replicas, and those wanted",
        "What the autoscaler wants and what is ready; between them is what it waits for.",
        units.Short,
        promql(f"sum(namespace_service:kube_deployment_status_replicas_ready:sum{OF_WEBSOCKETS})", "ready"),
        promql(f"sum(namespace_service:kube_deployment_spec_replicas:sum{OF_WEBSOCKETS})", "wanted"),
    )

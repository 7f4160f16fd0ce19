"""Application Logs: how many lines of which level, what the requests in them say, and the lines themselves."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import units

from .panels import Board, Limits, log_values, logql, logs_source, metrics_source, promql

LEVELS = "DEBUG,INFO,WARNING,ERROR,CRITICAL,UNKNOWN"
LINES = "count_over_time(<streams>[$__auto])"
FAILED = 'level=~"ERROR|CRITICAL"'
# A line of each request that a service answered, as servicekit writes it; the text first, for it is cheaper than JSON.
SERVED = '<streams> |= `"request served"` | json | __error__=""'


def board() -> Board:
    """The dashboard."""
    every = models.VariableOption(selected=True, text=["All"], value=["$__all"])
    board = Board(
        "application-logs",
        "Application Logs",
        "The lines of every pod: how many, which went wrong, and what they say. Search looks inside the lines.",
        [
            logs_source(),
            metrics_source(),
            log_values("namespace", "Namespace", "namespace", first="default"),
            log_values("service", "Service", "service", '{namespace="$namespace"}', several=True),
            dashboard.CustomVariable("level")
            .label("Level")
            .values(LEVELS)
            .multi(True)
            .include_all(True)
            .all_value(".+")
            .current(every),
            dashboard.TextBoxVariable("search").label("Search").default_value(""),
        ],
    )
    _glance(board)
    _volume(board)
    _requests(board)
    _shipping(board)
    _lines(board)
    return board


def _glance(board: Board) -> None:
    board.row("At a glance")
    board.stat(
        "Lines",
        "Lines within the time range.",
        units.Short,
        logql("sum(count_over_time(<streams>[$__range]))"),
        width=6,
    )
    board.stat(
        "Errors",
        "Lines at the level ERROR or CRITICAL within the time range.",
        units.Short,
        logql(
            f'sum(count_over_time({{namespace="$namespace", service=~"$service", {FAILED}}}[$__range])) or vector(0)'
        ),
        limits=Limits(1, 10),
        width=6,
    )
    board.stat(
        "Warnings",
        "Lines at the level WARNING within the time range.",
        units.Short,
        logql(
            """sum(count_over_time({namespace="$namespace", service=~"$service", level="WARNING"}[$__range]))
               or vector(0)"""
        ),
        width=6,
    )
    board.stat(
        "Volume",
        "Bytes of log lines within the time range.",
        units.BytesIEC,
        logql("sum(bytes_over_time(<streams>[$__range]))"),
        width=6,
    )


def _volume(board: Board) -> None:
    board.row("How many")
    board.graph(
        "Lines by level",
        "Lines in each interval, by level.",
        units.Short,
        logql(f"sum by (level) ({LINES})", "{{level}}"),
    )
    board.graph(
        "Lines by service",
        "Lines in each interval, by service.",
        units.Short,
        logql(f"sum by (service) ({LINES})", "{{service}}"),
    )
    board.graph(
        "Errors by service",
        "Lines at the level ERROR or CRITICAL in each interval.",
        units.Short,
        logql(
            f'sum by (service) (count_over_time({{namespace="$namespace", service=~"$service", {FAILED}}}[$__auto]))',
            "{{service}}",
        ),
    )
    board.bars(
        "Loudest containers",
        "The ten containers with the most bytes of lines within the time range.",
        units.BytesIEC,
        logql(
            "topk(10, sum by (service, container) (bytes_over_time(<streams>[$__range])))", "{{service}} {{container}}"
        ),
        width=12,
    )
    board.bars(
        "Errors by container",
        "The ten containers with the most lines at the level ERROR or CRITICAL within the time range.",
        units.Short,
        logql(
            f"""topk(10, sum by (service, container) (
                  count_over_time({{namespace="$namespace", service=~"$service", {FAILED}}}[$__range])))""",
            "{{service}} {{container}}",
        ),
        width=12,
    )


def _requests(board: Board) -> None:
    board.row("Requests, as the lines tell them")
    board.graph(
        "Requests that failed, by route",
        "Lines of requests that were answered with 5xx, in each interval.",
        units.Short,
        logql(
            f"sum by (service, route) (count_over_time({SERVED} | status >= 500 [$__auto]))", "{{service}} {{route}}"
        ),
    )
    board.graph(
        "Longest request by service",
        "The longest time that a request's line tells of, in each interval.",
        units.Seconds,
        logql(
            f"max by (service) (max_over_time({SERVED} | unwrap duration_seconds [$__auto]))",
            "{{service}}",
        ),
        limits=Limits(0.5, 1),
    )
    board.bars(
        "Users with the most requests",
        "The ten users with the most lines of requests within the time range.",
        units.Short,
        logql(
            f'topk(10, sum by (user_id) (count_over_time({SERVED} | user_id != "" [$__range])))',
            "{{user_id}}",
        ),
    )


def _shipping(board: Board) -> None:
    board.row("On their way to Loki")
    board.graph(
        "Lines sent and dropped",
        "Lines in each second that Promtail sent, and that it dropped: those are in nobody's record.",
        units.Short,
        promql("sum(rate(promtail_sent_entries_total[$__rate_interval]))", "sent"),
        promql("sum(rate(promtail_dropped_entries_total[$__rate_interval]))", "dropped"),
        alerts=["LogsDropped", "LogPushesFailing"],
        width=12,
    )
    board.graph(
        "Bytes that Loki took",
        "Bytes of lines that Loki's distributor received in each second.",
        units.BytesPerSecondSI,
        promql("sum(rate(loki_distributor_bytes_received_total[$__rate_interval]))", "received"),
        alerts=["LokiDown", "LogsNotArriving"],
        width=12,
    )


def _lines(board: Board) -> None:
    board.row("The lines")
    board.logs(
        "Errors and warnings",
        "The newest lines at the level WARNING and above.",
        logql('{namespace="$namespace", service=~"$service", level=~"WARNING|ERROR|CRITICAL"} |= `$search`'),
    )
    board.logs(
        "All lines",
        "The newest lines of the chosen level that hold the searched text.",
        logql('{namespace="$namespace", service=~"$service", level=~"$level"} |= `$search`'),
    )

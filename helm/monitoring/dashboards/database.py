"""The database, as the services and as PostgreSQL itself see it; a part of Service Overview."""

from grafana_foundation_sdk.models import units

from .panels import Board, Limits, promql, quantile

STATEMENTS = "database_query_duration_seconds"


def database(board: Board) -> None:
    """The row."""
    board.row("Database")
    board.graph(
        "Statements by operation",
        "Statements in each second, as the services count them, failed ones included.",
        units.OpsPerSecond,
        promql(f"sum by (operation) (rate({STATEMENTS}_count{{<service>}}[$__rate_interval]))", "{{operation}}"),
    )
    board.graph(
        "p95 of statements by service",
        "95 % of a service's statements take up to this time, the wait for the answer included.",
        units.Seconds,
        promql(quantile(0.95, f"{STATEMENTS}_bucket{{<service>}}", "service"), "{{service}}"),
        limits=Limits(0.1, 0.25),
        alerts=["ServiceDatabaseSlow"],
    )
    board.graph(
        "Connections of those there may be",
        "The part of PostgreSQL's connections that is taken, by all databases together.",
        units.PercentUnit,
        promql("sum(pg_stat_activity_count{<namespace>}) / max(pg_settings_max_connections{<namespace>})", "taken"),
        limits=Limits(0.8, 0.95),
        alerts=["PostgresqlConnectionsHigh", "PostgresqlConnectionsExhausted"],
    )
    board.graph(
        "Transactions by database",
        "Transactions in each second, committed or rolled back.",
        units.OpsPerSecond,
        promql(
            """sum by (datname) (rate(pg_stat_database_xact_commit{<namespace>, datname=~".+"}[$__rate_interval])
                 + rate(pg_stat_database_xact_rollback{<namespace>}[$__rate_interval])) > 0""",
            "{{datname}}",
        ),
        width=12,
        alerts=["PostgresqlRollbackRatioHigh", "PostgresqlLongTransaction"],
    )
    board.graph(
        "Size by database",
        "Bytes on disk, indexes included.",
        units.BytesIEC,
        promql('max by (datname) (pg_database_size_bytes{<namespace>, datname!~"template.*"})', "{{datname}}"),
        width=12,
        alerts=["PostgresqlDatabaseGrowing"],
    )

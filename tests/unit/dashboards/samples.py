"""A small dashboard as Grafana's JSON, and as data with every kind of panel."""

from typing import Any

from sluice.dashboards import Dashboard, DashboardData, Link, Panel, PanelData, Query, Variable
from sluice.domain import Series

METRICS = {"type": "prometheus", "uid": "${metrics}"}
START, END = 1_760_000_100.0, 1_760_000_200.0


def grafana() -> dict[str, Any]:
    """What a file holds: two variables, a row and a panel in it."""
    return {
        "uid": "example",
        "title": "Example",
        "description": "An example.",
        "templating": {
            "list": [
                {"type": "datasource", "name": "metrics", "query": "prometheus"},
                {
                    "type": "query",
                    "name": "service",
                    "query": {"query": "label_values(up, service)"},
                    "allValue": ".+",
                    "datasource": METRICS,
                },
            ]
        },
        "panels": [
            {"type": "row", "title": "First", "panels": []},
            {
                "type": "stat",
                "title": "Up",
                "description": "How many answer.",
                "gridPos": {"h": 4, "w": 6, "x": 0, "y": 1},
                "fieldConfig": {
                    "defaults": {
                        "unit": "percentunit",
                        "thresholds": {
                            "steps": [{"value": None, "color": "red"}, {"value": 1, "color": "green"}],
                        },
                    }
                },
                "targets": [
                    {"refId": "A", "expr": 'up{service=~"$service"}', "instant": True, "datasource": METRICS},
                ],
                "links": [{"title": "Runbook: TargetDown", "url": "helm/monitoring/runbooks/TargetDown.md"}],
            },
        ],
    }


def lines(*names: str) -> tuple[Series, ...]:
    """A line a name, the later the higher."""
    return tuple(
        Series({"legend": name}, tuple((START + 10 * point, 0.1 * (number + 1)) for point in range(11)))
        for number, name in enumerate(names)
    )


def panel(title: str, kind: str, **more: Any) -> Panel:
    """A panel with one query."""
    values = {"description": f"About {title}.", "unit": "s", "row": "Row", "queries": (Query("A", "promql", "up"),)}
    return Panel(title=title, kind=kind, **values | more)


def data() -> DashboardData:
    """A dashboard that shows something of each kind, an empty panel and one that failed."""
    runbook = Link("Runbook: Slow", "helm/monitoring/runbooks/Slow.md")
    panels = (
        PanelData(panel("Latency", "timeseries", limits=(0.25, 0.5), links=(runbook,)), ("up",), lines("a", "<b>")),
        PanelData(
            panel("Ready", "stat", unit="percentunit", limits=(0.5, 1.0), falling=True),
            ("up",),
            (Series({"legend": ""}, ((END, 0.75),)),),
        ),
        PanelData(
            panel("Routes", "bargauge", unit="reqps", row="Other"),
            ("up",),
            (Series({"legend": "PUT /"}, ((END, 1.0),)), Series({"legend": "GET /"}, ((END, 4.0),))),
            left_out=3,
        ),
        PanelData(panel("Lines", "logs", unit="string"), ("{a='b'}",), lines=("<script>", "two")),
        PanelData(panel("Silent", "timeseries"), ("up > 9",)),
        PanelData(panel("Broken", "stat"), ("up(",), error="Prometheus refused: <parse error>"),
    )
    dashboard = Dashboard("example", "Example", "An <example>.", (), tuple(one.panel for one in panels))
    return DashboardData(dashboard, START, END, 5.0, {"namespace": "default", "service": ".+", "search": ""}, panels)


def variables() -> tuple[Variable, ...]:
    """The usual ones."""
    return (
        Variable("metrics", "datasource", "prometheus"),
        Variable("namespace", "query", {"query": "label_values(up, namespace)"}, language="promql"),
        Variable("service", "query", {"query": "label_values(up, service)"}, every=".+", language="promql"),
    )

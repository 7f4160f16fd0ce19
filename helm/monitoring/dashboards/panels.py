"""The words that dashboards are written in, over grafana-foundation-sdk: a board, its rows, four kinds of panels.

`<served>` and the like in a query are short for what stands in SELECTORS. Everything else in it is as Grafana gets it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, loki, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import logs as log_panel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import DataSourceRef

TAG = "sluice"
METRICS = DataSourceRef(type_val="prometheus", uid="${metrics}")
LOGS = DataSourceRef(type_val="loki", uid="${logs}")
GOOD, WARNING, BAD = "green", "orange", "red"

# Probes and scrapes are most of all in a quiet service, and say nothing of what it does. The alerts leave out the same.
_PROBES = 'route!~"/healthz|/readyz|/metrics"'
SELECTORS = {
    "<namespace>": 'namespace="$namespace"',
    "<service>": 'namespace="$namespace", service=~"$service"',
    "<served>": f'namespace="$namespace", service=~"$service", {_PROBES}',
    "<own>": 'namespace="$namespace", service=~"$service", job!="dapr"',
    "<sidecar>": 'namespace="$namespace", service=~"$service", job="dapr"',
    # kube-state-metrics and the kubelet know pods and no services; a pod's name begins with its Deployment's.
    "<pods>": 'namespace="$namespace", pod=~"($service)-.+"',
    "<streams>": '{namespace="$namespace", service=~"$service"}',
}

P = TypeVar("P", timeseries.Panel, stat.Panel, bargauge.Panel, log_panel.Panel)


@dataclass(frozen=True)
class Asked:
    """A query: its text, the legend of its series, and whom it is for."""

    text: str
    legend: str
    source: DataSourceRef

    def target(self, ref: str, *, instant: bool) -> prometheus.Dataquery | loki.Dataquery:
        """The query as Grafana's JSON has it; `instant`: one value, at the end of the time range."""
        if self.source is METRICS:
            query = prometheus.Dataquery().expr(self.text).legend_format(self.legend).ref_id(ref)
            query = query.datasource(self.source)
            return query.instant() if instant else query.range()
        kind = "instant" if instant else "range"
        line = loki.Dataquery().expr(self.text).legend_format(self.legend).ref_id(ref)
        return line.datasource(self.source).query_type(kind)


def promql(text: str, legend: str = "") -> Asked:
    """A question to Prometheus."""
    return Asked(_spelt_out(text), legend, METRICS)


def logql(text: str, legend: str = "") -> Asked:
    """A question to Loki."""
    return Asked(_spelt_out(text), legend, LOGS)


def quantile(share: float, buckets: str, *by: str) -> str:
    """The query of the value that this share of a histogram's observations stays within.

    `buckets` is the series with its selector; what nobody observed has no value, rather than one that is no number.
    """
    labels = ", ".join((*by, "le"))
    return f"histogram_quantile({share}, sum by ({labels}) (rate({buckets}[$__rate_interval]))) >= 0"


def _spelt_out(text: str) -> str:
    for short, selector in SELECTORS.items():
        text = text.replace(short, selector)
    return " ".join(text.split())


@dataclass(frozen=True)
class Limits:
    """From where on a value is a warning, and from where on bad; `falling`: below instead."""

    warning: float
    bad: float
    falling: bool = False

    def steps(self) -> list[models.Threshold]:
        """Grafana's steps, which rise; the first has no value."""
        first, last = (BAD, GOOD) if self.falling else (GOOD, BAD)
        between = {
            self.bad if self.falling else self.warning: WARNING,
            self.warning if self.falling else self.bad: last,
        }
        marks: list[tuple[float | None, str]] = [(None, first), *between.items()]
        return [models.Threshold(value=value, color=color) for value, color in marks]


class Board:
    """One dashboard while it is being written; panels fill a grid of 24 columns, row by row."""

    def __init__(self, uid: str, title: str, description: str, variables: Sequence[Any]) -> None:
        self.uid = uid
        self._count = 0
        self._board = (
            dashboard.Dashboard(title)
            .uid(uid)
            .description(description)
            .tags([TAG])
            .timezone(common_models.TimeZoneBrowser)
            .time("now-1h", "now")
            .refresh("30s")
            .readonly()
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .link(
                dashboard.DashboardLink("Dashboards")
                .type(models.DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .as_dropdown(True)
                .include_vars(True)
                .keep_time(True)
            )
        )
        for variable in variables:
            self._board.with_variable(variable)

    def row(self, title: str) -> None:
        """Begin a row with a heading."""
        self._count += 1
        self._board.with_row(dashboard.Row(title).id(self._count))

    def stat(self, title: str, description: str, unit: str, *asked: Asked, width: int = 4, **more: Any) -> None:
        """One number, or one a series, as it is at the end of the time range."""
        panel = stat.Panel().graph_mode(common_models.BigValueGraphMode.NONE).reduce_options(_last())
        self._add(panel, title, description, unit, asked, width, 4, instant=True, **more)

    def graph(self, title: str, description: str, unit: str, *asked: Asked, width: int = 8, **more: Any) -> None:
        """Lines over time."""
        legend = common.VizLegendOptions().show_legend(True).placement(common_models.LegendPlacement.BOTTOM)
        legend = legend.display_mode(common_models.LegendDisplayMode.LIST).calcs([])
        tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
        tooltip = tooltip.sort(common_models.SortOrder.DESCENDING)
        panel = timeseries.Panel().legend(legend).tooltip(tooltip).fill_opacity(8).axis_soft_min(0)
        lines = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        if more.get("limits"):
            panel = panel.thresholds_style(lines)
        self._add(panel, title, description, unit, asked, width, 8, instant=False, **more)

    def bars(self, title: str, description: str, unit: str, *asked: Asked, width: int = 8, **more: Any) -> None:
        """One bar a series, as it is at the end of the time range."""
        panel = bargauge.Panel().orientation(common_models.VizOrientation.HORIZONTAL).reduce_options(_last())
        panel = panel.display_mode(common_models.BarGaugeDisplayMode.BASIC).min(0)
        self._add(panel, title, description, unit, asked, width, 8, instant=True, **more)

    def logs(self, title: str, description: str, *asked: Asked, width: int = 24) -> None:
        """Log lines, the newest first."""
        panel = log_panel.Panel().show_time(True).wrap_log_message(True).enable_log_details(True)
        panel = panel.sort_order(common_models.LogsSortOrder.DESCENDING)
        self._add(panel, title, description, "string", asked, width, 12, instant=False)

    def _add(
        self,
        panel: P,
        title: str,
        description: str,
        unit: str,
        asked: Sequence[Asked],
        width: int,
        height: int,
        *,
        instant: bool,
        limits: Limits | None = None,
        alerts: Sequence[str] = (),
    ) -> None:
        self._count += 1
        panel = panel.id(self._count).title(title).description(description).unit(unit).span(width).height(height)
        panel = panel.datasource(asked[0].source)
        steps = limits.steps() if limits else [models.Threshold(value=None, color=GOOD)]
        panel = panel.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        if alerts:
            panel = panel.links([_runbook(alert) for alert in alerts])
        for number, one in enumerate(asked):
            panel = panel.with_target(one.target("ABCDEFGH"[number], instant=instant))
        self._board.with_panel(panel)

    def json(self) -> str:
        """The dashboard as Grafana reads it."""
        return json.dumps(self._board.build(), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"


def metrics_source() -> dashboard.DatasourceVariable:
    """Which Prometheus."""
    return dashboard.DatasourceVariable("metrics").type("prometheus").label("Metrics from")


def logs_source() -> dashboard.DatasourceVariable:
    """Which Loki."""
    return dashboard.DatasourceVariable("logs").type("loki").label("Logs from")


def metric_values(name: str, label: str, query: str, **how: Any) -> dashboard.QueryVariable:
    """A variable whose choices are the values that a label has in Prometheus: `label_values(<selector>, <label>)`."""
    asked = {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    return _values(name, label, asked, METRICS, **how)


def log_values(name: str, label: str, of: str, stream: str = "", **how: Any) -> dashboard.QueryVariable:
    """A variable whose choices are the values that the label `of` has in Loki, of the streams that a selector finds."""
    asked = {"type": 1, "label": of, "stream": stream, "refId": "LokiVariableQueryEditor-VariableQuery"}
    return _values(name, label, asked, LOGS, **how)


def _values(
    name: str, label: str, asked: dict[str, object], source: DataSourceRef, *, several: bool = False, first: str = ""
) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).query(asked).datasource(source)
    variable = variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable = variable.sort(models.VariableSort.ALPHABETICAL_ASC)
    if several:
        everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        variable = variable.multi(True).include_all(True).all_value(".+").current(everything)
    elif first:
        variable = variable.current(models.VariableOption(selected=True, text=first, value=first))
    return variable


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().values(False).calcs(["lastNotNull"])


def _runbook(alert: str) -> dashboard.DashboardLink:
    link = dashboard.DashboardLink(f"Runbook: {alert}").type(models.DashboardLinkType.LINK)
    return link.url(f"helm/monitoring/runbooks/{alert}.md").target_blank(True)

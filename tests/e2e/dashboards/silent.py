"""Panels that may have no data on a healthy cluster, and why. Everything else has to show something."""

from sluice.dashboards import Dashboard, Panel, Query

# By dashboard, title and the query's reference.
MAY_BE_SILENT: dict[tuple[str, str, str], str] = {
    ("event-processing", "Resiliency at work", "A"): "nothing steps in while nothing fails",
    ("application-logs", "Errors by service", "A"): "no line at ERROR, no series",
    ("application-logs", "Errors by container", "A"): "no line at ERROR, no series",
    ("application-logs", "Requests that failed, by route", "A"): "only requests that were answered with 5xx",
    ("websocket-metrics", "Ends by close code", "A"): "only while connections end",
    ("slo-error-budgets", "Bad events in 5 minutes", "A"): "only while something is bad",
}


def reason(dashboard: Dashboard, panel: Panel, query: Query) -> str:
    """Why a query may have no answer; an empty text where it has to have one."""
    return MAY_BE_SILENT.get((dashboard.uid, panel.title, query.ref), "")

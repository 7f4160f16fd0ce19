"""Grafana's dashboards as data: what each panel asks, its variables filled in, and what it was answered.

Reads the part of Grafana's JSON that our own dashboards use (helm/monitoring/dashboards); the words are Grafana's:
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sluice.domain import Series
from sluice.errors import ChartError

FOLDER = "helm/monitoring/dashboards"
RENEW = "./nox -s dashboards"

Language = Literal["promql", "logql"]
_LANGUAGES: dict[str, Language] = {"prometheus": "promql", "loki": "logql"}
# `$name` or `${name}`; a regular expression's `$` and label_replace's `$1` are not followed by a letter.
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_LABEL_VALUES = re.compile(r"label_values\((?:(?P<selector>.+), *)?(?P<label>\w+)\)")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Query:
    """One of a panel's queries; `legend` names its series, with `{{label}}` for a label's value."""

    ref: str
    language: Language
    text: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True)
class Link:
    """Where a panel leads to, such as an alert's runbook."""

    title: str
    url: str


@dataclass(frozen=True)
class Panel:
    """A panel, with the row that it stands in; `unit` is Grafana's.

    `limits` are the thresholds, rising; beyond the last it is bad, or, where they are `falling`, below the first.
    """

    title: str
    description: str
    kind: str
    unit: str
    row: str = ""
    width: int = 24
    queries: tuple[Query, ...] = ()
    limits: tuple[float, ...] = ()
    falling: bool = False
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Variable:
    """What a reader chooses at the top. `every` is the value that stands for all; `language` is a query's."""

    name: str
    kind: str
    query: Any
    every: str = ""
    language: Language | None = None


@dataclass(frozen=True)
class Dashboard:
    """One dashboard."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class PanelData:
    """What a panel shows: its series, each with its legend as its one label, or its log lines, or why there is nothing.

    `asked` are its queries as they were sent; `left_out` counts the series beyond those that are kept.
    """

    panel: Panel
    asked: tuple[str, ...] = ()
    series: tuple[Series, ...] = ()
    lines: tuple[str, ...] = ()
    left_out: int = 0
    error: str = ""


@dataclass(frozen=True)
class DashboardData:
    """A dashboard over a window; times in seconds since the epoch."""

    dashboard: Dashboard
    start: float
    end: float
    step: float
    values: Mapping[str, str]
    panels: tuple[PanelData, ...] = field(default=())


def load_dashboards(folder: Path) -> tuple[Dashboard, ...]:
    """Every dashboard of a folder, by file name. Raises ChartError for a file that is none."""
    return tuple(_dashboard(path) for path in sorted(folder.glob("*.json")))


def fill(text: str, values: Mapping[str, str], *, window: float, step: float, rate: float) -> str:
    """Put values in the place of variables: the reader's, and Grafana's own of the time range, in seconds.

    `window` is the range that is looked at, `step` the distance of two points, `rate` what rates are taken over.
    Raises ChartError for a variable that has no value.
    """
    own = {"__range": window, "__interval": step, "__auto": max(step, rate), "__rate_interval": rate}
    known = {name: f"{max(1, round(seconds))}s" for name, seconds in own.items()} | dict(values)

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in known:
            raise ChartError(
                f"the query {text} uses a variable that the dashboard does not have",
                seen=f"${name}",
                expected=", ".join(sorted(f"${each}" for each in known)),
                next_command=f"mend it in {FOLDER}/*.py, then {RENEW}",
            )
        return known[name]

    return _VARIABLE.sub(value, text)


def legend(query: Query, series: Series) -> str:
    """What a series is called: the legend with its labels filled in, else all of its labels."""
    if query.legend:
        return _LEGEND.sub(lambda found: series.labels.get(found[1], ""), query.legend).strip()
    return ", ".join(f"{name}={value}" for name, value in sorted(series.labels.items()))


def label_values(variable: Variable) -> tuple[str, str]:
    """The selector, which may be empty, and the label whose values a variable offers, whichever server it asks.

    Raises ChartError for a query of a form that we do not know.
    """
    asked = variable.query
    if isinstance(asked, dict) and variable.language == "logql" and "label" in asked:
        return asked.get("stream", ""), asked["label"]
    found = _LABEL_VALUES.fullmatch(asked["query"]) if isinstance(asked, dict) and "query" in asked else None
    if variable.language != "promql" or not found:
        raise ChartError(
            f"the variable {variable.name} asks what we cannot read",
            seen=str(asked),
            expected="label_values(<selector>, <label>), or of Loki a label and a stream",
            next_command=f"mend it in {FOLDER}/*.py, then {RENEW}",
        )
    return found["selector"] or "", found["label"]


def _dashboard(path: Path) -> Dashboard:
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        variables = tuple(_variable(one) for one in given["templating"]["list"])
        panels = tuple(_panels(given["panels"]))
        return Dashboard(given["uid"], given["title"], given["description"], variables, panels)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChartError(
            f"{path} is no dashboard that can be read",
            seen=f"{type(error).__name__}: {error}",
            expected="what the Python beside it writes",
            next_command=RENEW,
        ) from None


def _variable(given: dict[str, Any]) -> Variable:
    language = _LANGUAGES[given["datasource"]["type"]] if given["type"] == "query" else None
    return Variable(given["name"], given["type"], given.get("query"), given.get("allValue", ""), language)


def _panels(given: list[dict[str, Any]]) -> Iterator[Panel]:
    row = ""
    for one in given:
        if one["type"] == "row":
            row = one["title"]
            continue
        defaults = one["fieldConfig"]["defaults"]
        steps = defaults.get("thresholds", {}).get("steps", [])
        yield Panel(
            title=one["title"],
            description=one.get("description", ""),
            kind=one["type"],
            unit=defaults.get("unit", ""),
            row=row,
            width=one["gridPos"]["w"],
            queries=tuple(_query(target) for target in one["targets"]),
            limits=tuple(float(each["value"]) for each in steps if each["value"] is not None),
            falling=bool(steps) and steps[0]["color"] == "red",
            links=tuple(Link(link["title"], link["url"]) for link in one.get("links", ())),
        )


def _query(given: dict[str, Any]) -> Query:
    return Query(
        ref=given["refId"],
        language=_LANGUAGES[given["datasource"]["type"]],
        text=given["expr"],
        legend=given.get("legendFormat", ""),
        instant=given.get("instant", False) or given.get("queryType") == "instant",
    )

"""What a panel or a variable lacks, in words that name the cure."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sluice.dashboards import FOLDER, Dashboard, Panel, Query, fill
from sluice.errors import ChartError

from .catalog import REPOSITORY

CURE = f"mend it in {FOLDER}/*.py, then ./nox -s dashboards"
# What a reader might choose; the window is longer than the step, as it is in Grafana.
CHOICE = {"namespace": "default", "service": "a|b", "level": "ERROR", "slo": "availability", "search": "words"}
TIMES = {"window": 3600.0, "step": 15.0, "rate": 60.0}


def filled(text: str, dashboard: Dashboard) -> str:
    """A query with a choice for each variable that the dashboard has. Raises ChartError for any other."""
    values = {one.name: CHOICE.get(one.name, one.every) for one in dashboard.variables}
    return fill(text, values, **TIMES)


def lacking(panel: Panel, dashboard: Dashboard) -> list[str]:
    """What a panel lacks of its own."""
    where = f"{dashboard.uid}: the panel {panel.title!r}"
    missing = []
    if not panel.title:
        missing.append(f"{dashboard.uid}: a panel has no title; {CURE}")
    if not panel.description.endswith("."):
        missing.append(f"{where} has no description that is a sentence; {CURE}")
    if not panel.unit:
        missing.append(f"{where} has no unit; {CURE}")
    if not panel.row:
        missing.append(f"{where} stands in no row; {CURE}")
    if not panel.queries:
        missing.append(f"{where} asks nothing; {CURE}")
    for query in panel.queries:
        missing += [f"{where}, query {query.ref}: {one}" for one in _of_query(query, panel, dashboard)]
    for link in panel.links:
        if not link.url or not (REPOSITORY / link.url).is_file():
            missing.append(f"{where} leads to {link.url!r}, which is no file; write the runbook, or {CURE}")
    return missing


def _of_query(query: Query, panel: Panel, dashboard: Dashboard) -> Iterator[str]:
    if not query.text.strip():
        yield f"it has no text; {CURE}"
    if len(panel.queries) > 1 and not query.legend:
        yield f"it has no legend to tell its series from the others'; {CURE}"
    if query.instant != (panel.kind in ("stat", "bargauge")):
        yield f"a {panel.kind} asks {'over time' if panel.kind in ('stat', 'bargauge') else 'for one moment'}; {CURE}"
    try:
        filled(query.text, dashboard)
    except ChartError as error:
        yield f"it uses {error.seen}, which is none of {error.expected}; {CURE}"


def alike(dashboard: Dashboard) -> list[str]:
    """Panels of a dashboard that cannot be told apart: of the same title, or the same kind with the same queries."""
    titles = Counter(panel.title for panel in dashboard.panels)
    asked = Counter((panel.kind, tuple(query.text for query in panel.queries)) for panel in dashboard.panels)
    found = [f"{dashboard.uid}: {count} panels are called {title!r}" for title, count in titles.items() if count > 1]
    return found + [f"{dashboard.uid}: {count} panels show {queries}" for queries, count in asked.items() if count > 1]


def unused(dashboard: Dashboard) -> list[str]:
    """Variables that no query and no other variable uses, data sources apart."""
    texts = [query.text for panel in dashboard.panels for query in panel.queries]
    texts += [json.dumps(variable.query) for variable in dashboard.variables]
    names = {name for text in texts for name in re.findall(r"\$\{?(\w+)", text)}
    return [
        f"{dashboard.uid}: the variable {one.name} is used by nothing; {CURE}"
        for one in dashboard.variables
        if one.kind != "datasource" and one.name not in names
    ]


def overlapping(file: Path) -> list[str]:
    """Panels of a dashboard's JSON that lie on each other or beyond the grid of 24 columns."""
    taken: dict[tuple[int, int], str] = {}
    found = []
    for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        found += sorted({f"{panel['title']!r} lies on {taken[cell]!r}" for cell in cells if cell in taken})
        if place["x"] + place["w"] > 24:
            found.append(f"{panel['title']!r} is beyond the grid")
        taken |= dict.fromkeys(cells, panel["title"])
    return [f"{file.name}: {one}; {CURE}" for one in found]

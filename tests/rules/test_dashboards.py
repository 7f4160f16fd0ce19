"""Every panel is complete, asks what Prometheus can read and leads to runbooks; the JSON is what the Python says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helm.monitoring.dashboards.__main__ import stale, written
from tests.e2e.dashboards.silent import MAY_BE_SILENT

from sluice.dashboards import FOLDER, Dashboard, Link, Query, label_values, load_dashboards

from .catalog import REPOSITORY
from .metrics import LIST, Exposed, named, read_list, unknown
from .panels import CURE, alike, filled, lacking, overlapping, unused
from .promtool import output_of, promtool
from .test_metrics import recorded

DASHBOARDS = load_dashboards(REPOSITORY / FOLDER)
NAMES = ["application-logs", "event-processing", "service-overview", "slo-error-budgets", "websocket-metrics"]
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.uid)


def test_the_dashboards_that_alerts_lead_to_are_there_under_their_names() -> None:
    assert [one.uid for one in DASHBOARDS] == NAMES
    assert sorted(path.stem for path in (REPOSITORY / FOLDER).glob("*.json")) == NAMES


def test_the_json_is_what_the_python_says() -> None:
    assert stale(REPOSITORY / FOLDER) == [], "next: ./nox -s dashboards"


@pytest.mark.parametrize("change", ["changed", "missing", "of nobody"])
def test_json_that_is_not_the_pythons_is_found(tmp_path: Path, change: str) -> None:
    for name, text in written().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert stale(tmp_path) == []
    file = tmp_path / "service-overview.json"
    if change == "missing":
        file.unlink()
    else:
        file = file if change == "changed" else tmp_path / "other.json"
        file.write_text("{}", encoding="utf-8")
    assert stale(tmp_path) == [file.name]


@each_dashboard
def test_every_panel_is_complete(dashboard: Dashboard) -> None:
    assert [one for panel in dashboard.panels for one in lacking(panel, dashboard)] == []
    assert alike(dashboard) == []
    assert unused(dashboard) == []
    assert dashboard.description.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_lies_on_another(name: str) -> None:
    assert overlapping(REPOSITORY / FOLDER / f"{name}.json") == []


@each_dashboard
def test_namespace_and_service_can_be_chosen(dashboard: Dashboard) -> None:
    """Alerts lead to a dashboard with var-namespace and var-service."""
    variables = {one.name: one for one in dashboard.variables}
    assert {"namespace", "service"} <= set(variables)
    assert variables["service"].every == ".+"
    for variable in variables.values():
        if variable.kind == "query":
            selector, label = label_values(variable)
            assert label
            filled(selector, dashboard)


def read_by_prometheus(dashboard: Dashboard, folder: Path) -> str:
    """What promtool says against the PromQL of a dashboard: its panels' and its variables'."""
    queries = [
        (f"{panel.title}, {query.ref}", query.text)
        for panel in dashboard.panels
        for query in panel.queries
        if query.language == "promql"
    ]
    queries += [(one.name, label_values(one)[0]) for one in dashboard.variables if one.language == "promql"]
    rules = [{"record": f"q{number}", "expr": filled(text, dashboard)} for number, (_, text) in enumerate(queries)]
    file = folder / "queries.yaml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", file)
    said = done.stdout + done.stderr
    for number, (name, _) in reversed(list(enumerate(queries))):
        said = said.replace(f"q{number}", name)
    return "" if done.returncode == 0 else said


@each_dashboard
def test_prometheus_can_read_every_query(dashboard: Dashboard, tmp_path: Path) -> None:
    assert read_by_prometheus(dashboard, tmp_path) == ""


def test_what_may_be_silent_is_there() -> None:
    queries = {
        (one.uid, panel.title, query.ref) for one in DASHBOARDS for panel in one.panels for query in panel.queries
    }
    assert set(MAY_BE_SILENT) - queries == set()
    assert all(MAY_BE_SILENT.values())


def unknown_metrics(dashboard: Dashboard, exposed: Exposed) -> list[str]:
    """What a dashboard names that neither the cluster has nor a rule records, by panel or variable."""
    asked = {panel.title: [one.text for one in panel.queries if one.language == "promql"] for panel in dashboard.panels}
    asked |= {f"${one.name}": [label_values(one)[0]] for one in dashboard.variables if one.language == "promql"}
    queries = {name: [filled(text, dashboard) for text in texts if text] for name, texts in asked.items()}
    if not unknown(named([text for texts in queries.values() for text in texts], output_of), exposed, recorded()):
        return []
    wrong = {name: unknown(named(texts, output_of), exposed, recorded()) for name, texts in queries.items()}
    return [
        f"{dashboard.uid}, {name}: the cluster has no {', '.join(found)}; {CURE}, or, where something new exposes it,"
        f" python -m tests.rules.renew_metrics <kubeconfig>, which writes {LIST.relative_to(REPOSITORY)}"
        for name, found in wrong.items()
        if found
    ]


@each_dashboard
def test_every_metric_is_one_that_the_cluster_has(dashboard: Dashboard) -> None:
    assert unknown_metrics(dashboard, read_list(LIST.read_text(encoding="utf-8"))) == []


def test_a_metric_that_nothing_exposes_is_refused_with_the_cure() -> None:
    exposed = Exposed(frozenset({"http_requests_total"}), {})
    dashboard = with_query(text='sum(http_request_total{service=~"$service"})')
    (found,) = unknown_metrics(replace(dashboard, panels=dashboard.panels[:1]), exposed)
    assert found.startswith("service-overview, Pods that answer: the cluster has no http_request_total; mend it in")
    assert "renew_metrics" in found


def with_query(**more: Any) -> Dashboard:
    """A dashboard whose first panel is complete, but for what is changed of its first query."""
    first = DASHBOARDS[NAMES.index("service-overview")]
    panel = first.panels[0]
    query = replace(panel.queries[0], **more)
    return replace(first, panels=(replace(panel, queries=(query,)), *first.panels[1:]))


def test_a_query_that_is_none_is_found(tmp_path: Path) -> None:
    assert "Pods that answer, A" in read_by_prometheus(with_query(text="sum(up"), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": ""}, "has no title"),
        ({"description": "No sentence"}, "has no description"),
        ({"unit": ""}, "has no unit"),
        ({"row": ""}, "stands in no row"),
        ({"queries": ()}, "asks nothing"),
        ({"queries": (Query("A", "promql", " ", instant=True),)}, "it has no text"),
        ({"queries": (Query("A", "promql", "up"),)}, "a stat asks over time"),
        ({"queries": (Query("A", "promql", "up{pod='$pod'}", instant=True),)}, "it uses $pod, which is none of"),
        ({"queries": (Query("A", "promql", "up", instant=True),) * 2}, "has no legend"),
        ({"links": (Link("Runbook", "helm/monitoring/runbooks/NoSuchAlert.md"),)}, "which is no file"),
        ({"links": (Link("Runbook", ""),)}, "which is no file"),
    ],
)
def test_what_a_panel_lacks_is_named_with_the_cure(change: dict[str, Any], said: str) -> None:
    dashboard = with_query()
    (found, *_) = lacking(replace(dashboard.panels[0], **change), dashboard)
    assert said in found
    assert "./nox -s dashboards" in found


def test_panels_that_cannot_be_told_apart_are_named() -> None:
    dashboard = with_query()
    twice = replace(dashboard, panels=(*dashboard.panels, dashboard.panels[0]))
    assert alike(dashboard) == []
    assert len(alike(twice)) == 2
    renamed = replace(dashboard.panels[0], title="Another")
    assert len(alike(replace(dashboard, panels=(*dashboard.panels, renamed)))) == 1


def test_a_variable_that_nothing_uses_is_named() -> None:
    dashboard = with_query()
    more = replace(dashboard.variables[1], name="cluster")
    (found,) = unused(replace(dashboard, variables=(*dashboard.variables, more)))
    assert "the variable cluster is used by nothing" in found


def test_panels_on_each_other_are_named(tmp_path: Path) -> None:
    given = json.loads((REPOSITORY / FOLDER / "service-overview.json").read_text(encoding="utf-8"))
    given["panels"][2]["gridPos"] = {"h": 4, "w": 30, "x": 3, "y": 1}
    (tmp_path / "x.json").write_text(json.dumps(given), encoding="utf-8")
    found = overlapping(tmp_path / "x.json")
    assert any("lies on 'Pods that answer'" in one for one in found)
    assert any("is beyond the grid" in one for one in found)

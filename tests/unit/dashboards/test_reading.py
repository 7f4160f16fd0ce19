"""Grafana's JSON as far as we read it, and variables filled in."""

import json
from pathlib import Path

import pytest
from tests.unit.dashboards.samples import grafana

from sluice.dashboards import Link, Query, Variable, fill, label_values, legend, load_dashboards
from sluice.domain import Series
from sluice.errors import ChartError

WINDOW = {"window": 600.0, "step": 5.0, "rate": 60.0}


def written(folder: Path, given: object) -> Path:
    (folder / "example.json").write_text(given if isinstance(given, str) else json.dumps(given))
    return folder


def test_a_dashboard_is_read_with_its_rows_queries_limits_and_links(tmp_path: Path) -> None:
    (dashboard,) = load_dashboards(written(tmp_path, grafana()))
    assert (dashboard.uid, dashboard.title, dashboard.description) == ("example", "Example", "An example.")
    (panel,) = dashboard.panels
    assert (panel.title, panel.kind, panel.unit, panel.row, panel.width) == ("Up", "stat", "percentunit", "First", 6)
    assert panel.queries == (Query("A", "promql", 'up{service=~"$service"}', instant=True),)
    assert (panel.limits, panel.falling) == ((1.0,), True)
    assert panel.links == (Link("Runbook: TargetDown", "helm/monitoring/runbooks/TargetDown.md"),)
    service = Variable("service", "query", {"query": "label_values(up, service)"}, ".+", "promql")
    assert dashboard.variables == (Variable("metrics", "datasource", "prometheus"), service)


@pytest.mark.parametrize("given", ["{", "[]", {"uid": "x"}, grafana() | {"panels": [{"type": "stat"}]}])
def test_what_is_no_dashboard_is_refused_with_the_cure(tmp_path: Path, given: object) -> None:
    with pytest.raises(ChartError) as caught:
        load_dashboards(written(tmp_path, given))
    assert "example.json is no dashboard" in caught.value.failed
    assert caught.value.next_command == "./nox -s dashboards"


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ('up{service=~"$service"}', 'up{service=~"a|b"}'),
        ('up{service=~"${service}x"}', 'up{service=~"a|bx"}'),
        ("rate(x[$__rate_interval])", "rate(x[60s])"),
        ("increase(x[$__range]) / $__interval", "increase(x[600s]) / 5s"),
        ("count_over_time({a='b'}[$__auto])", "count_over_time({a='b'}[60s])"),
        ('label_replace(x, "a", "$1", "b", "(.+)$")', 'label_replace(x, "a", "$1", "b", "(.+)$")'),
    ],
)
def test_variables_are_filled_in_and_nothing_else(text: str, filled: str) -> None:
    assert fill(text, {"service": "a|b"}, **WINDOW) == filled


def test_a_variable_that_nobody_has_is_named() -> None:
    with pytest.raises(ChartError) as caught:
        fill("up{pod='$pod'}", {"service": "a"}, **WINDOW)
    assert caught.value.seen == "$pod"
    assert "$service" in caught.value.expected


def test_a_series_is_called_by_its_legend_or_by_its_labels() -> None:
    series = Series({"service": "a", "route": "/x"}, ())
    assert legend(Query("A", "promql", "x", "{{service}} {{ route }} {{gone}}"), series) == "a /x"
    assert legend(Query("A", "promql", "x"), series) == "route=/x, service=a"


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (Variable("a", "query", {"query": "label_values(up, service)"}, "", "promql"), ("up", "service")),
        (
            Variable("a", "query", {"query": 'label_values(up{a="$b", c=~"d,e"}, service)'}, "", "promql"),
            ('up{a="$b", c=~"d,e"}', "service"),
        ),
        (Variable("a", "query", {"query": "label_values(service)"}, "", "promql"), ("", "service")),
        (Variable("a", "query", {"label": "pod", "stream": '{a="b"}'}, "", "logql"), ('{a="b"}', "pod")),
    ],
)
def test_a_variables_query_is_read(variable: Variable, expected: tuple[str, str]) -> None:
    assert label_values(variable) == expected


@pytest.mark.parametrize("query", ["label_values(up, service)", {"query": "query_result(up)"}, {}, None])
def test_a_variables_query_of_another_form_is_refused(query: object) -> None:
    with pytest.raises(ChartError) as caught:
        label_values(Variable("a", "query", query, "", "promql"))
    assert "the variable a" in caught.value.failed

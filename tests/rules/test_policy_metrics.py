"""release/policy.toml names metrics that a cluster has and objectives that services have; a typo is told with its line.

The policy is read without promtool, so what it takes for a metric is held to what promtool's own parser finds.
"""

from pathlib import Path

import pytest
import yaml

from sluice.dashboards import FOLDER, load_dashboards
from sluice.errors import PolicyError
from sluice.policy import load_policy
from sluice.policy.promql import metrics_named
from sluice.standing import metrics_known

from .catalog import REPOSITORY, rule_files
from .metrics import LIST, named, read_list
from .panels import filled
from .promtool import output_of
from .test_metrics import RULES, recorded

POLICY = REPOSITORY / "release" / "policy.toml"
OBJECTIVES = load_policy(POLICY).objectives


def queries() -> list[str]:
    """Every query that the tree has: of rules, dashboards and the policy."""
    found = [str(rule["expr"]) for rule in RULES]
    for dashboard in load_dashboards(REPOSITORY / FOLDER):
        panels = (query for panel in dashboard.panels for query in panel.queries if query.language == "promql")
        found += [filled(query.text, dashboard) for query in panels]
    asked = (one for one in OBJECTIVES if one.kind in ("promql", "slo"))
    for objective in asked:
        texts = (objective.promql, objective.counted_by, objective.plot_query)
        found += [text.replace("{window}", "60s") for text in texts if text]
    return found


HARD = [
    'sum by (up) (rate(a_total{x="up", y=~"a{2}|[}]"}[5m])) / on (down) group_left (b) c',
    'absent(up{job="x"} == bool 1) or {__name__="d", job="x"} unless {__name__=~"e|f"}',
    "max_over_time(g[1h:5m] @ end() offset 5m) ^ -1e3 > Inf # h",
    'label_replace(i, "service", "$1", "label_service", "(j|k)") atan2 sum(l) by (m)',
    "count without (le) (n:o:rate5m) AND ON() vector(0x1F) or p offset -1h30m",
    "s * ignoring (t) group_right u + on (v) w",
    "topk(3, q) and r{a='}', b=`{`}",
]


def test_the_metrics_of_a_query_are_those_that_promtools_parser_finds() -> None:
    every = queries()
    assert len(every) >= 300  # in a project that adopts Sluice there are fewer
    for query in HARD:
        assert metrics_named(query) == named([query], output_of), query
    if set().union(*map(metrics_named, every)) != named(every, output_of):
        wrong = [query for query in every if metrics_named(query) != named([query], output_of)]
        pytest.fail(f"read differently: {wrong}")


def test_what_a_policy_may_name_is_what_the_list_and_the_rules_have() -> None:
    assert metrics_known(REPOSITORY) == read_list(LIST.read_text(encoding="utf-8")).names | recorded()


def test_our_policy_names_nothing_that_a_cluster_has_not() -> None:
    assert load_policy(POLICY, metrics=metrics_known(REPOSITORY)).objectives == OBJECTIVES


def test_a_typo_in_it_is_told_with_its_line(tmp_path: Path) -> None:
    text = POLICY.read_text(encoding="utf-8").replace("max_over_time(up{", "max_over_time(ups{")
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "ups{" in one)
    with pytest.raises(PolicyError) as caught:
        load_policy(path, metrics=metrics_known(REPOSITORY))
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f'line {line}: objective "targets-up" query: no metric is named ups ')


def test_every_service_level_objective_that_it_names_is_recorded_for_some_service() -> None:
    rules = [
        rule for path in rule_files() for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]
    ]
    there = {rule["labels"]["slo"] for rule in rules if rule.get("record") == "slo:period_error_budget_remaining:ratio"}
    asked = {slo for objective in OBJECTIVES for slo in objective.slos}
    assert asked
    assert asked <= there

"""Rules name only metrics that the cluster has: of metrics.txt, which the suite `metrics` holds to the cluster."""

import pytest
import yaml

from sluice.dashboards import FOLDER, Dashboard, label_values, load_dashboards

from .catalog import MONITORING, REPOSITORY, rule_files
from .metrics import LIST, Exposed, named, read_list, unknown, write_list
from .panels import filled
from .promtool import output_of

EXPOSED = read_list(LIST.read_text(encoding="utf-8"))
RULES = [
    rule
    for path in rule_files()
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
SMALL = Exposed(frozenset({"up", "http_requests_total"}), {})


def recorded() -> set[str]:
    """The names that our own rules record."""
    return {rule["record"] for rule in RULES if "record" in rule}


def test_every_metric_of_a_rule_is_one_that_the_cluster_has() -> None:
    assert len(RULES) >= 60
    if unknown(named([rule["expr"] for rule in RULES], output_of), EXPOSED, recorded()):
        wrong = {
            rule.get("alert") or rule["record"]: unknown(named([rule["expr"]], output_of), EXPOSED, recorded())
            for rule in RULES
        }
        pytest.fail(f"{LIST.name} has no such metrics: { {name: found for name, found in wrong.items() if found} }")


@pytest.mark.parametrize("dashboard", load_dashboards(REPOSITORY / FOLDER), ids=lambda dashboard: dashboard.uid)
def test_every_metric_of_a_dashboard_is_one_that_the_cluster_has(dashboard: Dashboard) -> None:
    queries = [query for panel in dashboard.panels for query in panel.queries if query.language == "promql"]
    texts = [query.text for query in queries]
    texts += [label_values(one)[0] for one in dashboard.variables if one.language == "promql"]
    found = named([filled(text, dashboard) for text in texts], output_of)
    assert found or not texts
    assert unknown(found, EXPOSED, recorded()) == []


def test_every_reason_belongs_to_a_metric_that_something_names() -> None:
    """A reason that nothing needs any more hides the next mistake."""
    sources = [*rule_files(), *(MONITORING / "runbooks").glob("*.md"), *(MONITORING / "dashboards").glob("*.json")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert [name for name in EXPOSED.reasons if name not in text] == []


def test_the_list_is_as_its_writer_leaves_it() -> None:
    assert write_list(EXPOSED.names, EXPOSED.reasons) == LIST.read_text(encoding="utf-8")
    assert len(EXPOSED.names) >= 1000, f"{LIST.relative_to(REPOSITORY)} is not what a whole cluster has"


def test_a_typo_is_found() -> None:
    found = named(["rate(http_request_total[5m]) > 0", "up == 0"], output_of)
    assert unknown(found, SMALL, set()) == ["http_request_total"]
    assert unknown({"a:b:rate5m", "a:c:rate5m"}, SMALL, {"a:b:rate5m"}) == ["a:c:rate5m"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("vector(1)", set()),
        ('sum by (up) (rate(a_total{x="up", y=~"a{2}|[}]"}[5m])) / on (down) group_left (b) c', {"a_total", "c"}),
        ('absent(up{job="x"} == 1) or {__name__="d", job="x"}', {"up", "d"}),
        ('{__name__=~"e|f"}', set()),
        ("max_over_time(g[1h:5m] @ end() offset 5m)", {"g"}),
        ('label_replace(h, "service", "$1", "label_service", "(i|j)")', {"h"}),
        ("count(count by (le) (k:l:rate5m)) # m", {"k:l:rate5m"}),
        ('n{x="\\"sluice_selector=\\"x\\"{"} unless o', {"n", "o"}),
    ],
)
def test_the_names_are_those_that_promtools_parser_finds(query: str, expected: set[str]) -> None:
    assert named([query], output_of) == expected


def test_what_does_not_parse_is_told() -> None:
    with pytest.raises(AssertionError, match="parse error"):
        named(["sum by (a rate(b[5m])"], output_of)
    assert named([], output_of) == set()


def test_more_queries_than_an_argument_holds_are_all_looked_at() -> None:
    queries = [f'metric_{number} == {number} and up{{a="{"b" * 900}"}}' for number in range(100)]
    assert named(queries, output_of) == {f"metric_{number}" for number in range(100)} | {"up"}


def test_the_list_keeps_reasons_and_leaves_out_what_is_recorded() -> None:
    text = write_list({"b", "a", "x:y:z"}, {"c": "born with its first event"})
    assert text.splitlines()[-3:] == ["a", "b", "c  # born with its first event"]
    assert read_list(text) == Exposed(frozenset("abc"), {"c": "born with its first event"})


@pytest.mark.parametrize("line", ["a b", "a #reason", "a  # ", "a\na"])
def test_a_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"metrics\.txt: "):
        read_list(line)

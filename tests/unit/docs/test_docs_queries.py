"""Every page: kubectl's commands have a form that kubectl takes, and LogQL asks for what our streams have.

Whether the objects are there is seen where charts are rendered (tests/charts/test_guides.py), and PromQL where promtool
is (tests/rules/test_guides.py).
"""

import re
import tomllib

import pytest
import yaml
from tests.unit.docs.kubectl import calls, mistakes
from tests.unit.docs.pages import ROOT, Page, every_page
from tests.unit.docs.queries import LABELS, LEVELS, Shown, queries
from tests.unit.docs.queries import mistakes as logql_mistakes

# Beside ours: of Kubernetes, and of Dapr's control plane on a cloud.
NAMESPACES = {
    one["metadata"]["name"]
    for one in yaml.safe_load_all((ROOT / "k8s-fixtures" / "namespaces.yaml").read_text(encoding="utf-8"))
} | {"kube-system", "dapr-system"}
SERVICES = {
    tomllib.loads(path.read_text(encoding="utf-8"))["service"]["name"]
    for path in (ROOT / "services").glob("*/service.toml")
}
# The label `service` of what else writes logs: charts' components, fixtures, Kubernetes' own.
SERVICES |= {
    name
    for path in (ROOT / "helm").glob("*/templates/*.yaml")
    for name in re.findall(r'"component" "([\w-]+)"', path.read_text(encoding="utf-8"))
}
SERVICES |= {path.parent.name for path in (ROOT / "k8s-fixtures").glob("*/kustomization.yaml")}
SERVICES |= {"promtail", "kube-dns", "kube-apiserver", "etcd"}
PROXY = "kubectl get --raw '/api/v1/namespaces"


def test_kubectl_is_called_as_it_can_be() -> None:
    shown = [call for page in every_page() for call in calls(page)]
    assert len(shown) > 250
    assert [one for call in shown for one in mistakes(call, NAMESPACES)] == []


def test_logql_asks_for_what_streams_have() -> None:
    shown = [one for page in every_page() for one in queries(page, "logql")]
    assert len(shown) > 60
    assert [wrong for one in shown for wrong in logql_mistakes(one, SERVICES, NAMESPACES)] == []


def test_labels_and_levels_are_those_that_the_collector_gives() -> None:
    text = (ROOT / "helm" / "logging" / "files" / "promtail.yaml").read_text(encoding="utf-8")
    pods, *_ = yaml.safe_load(text)["scrape_configs"]
    given = {one["target_label"] for one in pods["relabel_configs"]}
    given |= {label for stage in pods["pipeline_stages"] for label in stage.get("labels", ())}
    assert {label for label in given if not label.startswith("__")} == LABELS
    assert set(re.findall(r"-}} ([A-Z]+)$", text, re.MULTILINE)) == LEVELS


def test_queries_within_commands_are_found() -> None:
    page = Page(
        "x.md",
        "```sh\n"
        f"{PROXY}/monitoring/services/prometheus:9090/proxy/api/v1/query?query=up%20%3D%3D%200'\n"
        f"{PROXY}/logging/services/loki:3100/proxy/loki/api/v1/query?query=%7Ba%3D%22b%22%7D'\n"
        "promtool query instant http://127.0.0.1:9090 'count(up)'\n"
        "LOKI_ADDR=http://127.0.0.1:3100 logcli query --limit=5 '{level=\"ERROR\"}'\n"
        '```\n```promql\nrate(x{service="$SERVICE"}[5m])\n```\n',
    )
    assert [one.text for one in queries(page, "promql")] == [
        'rate(x{service="backend"}[5m])',
        "up == 0",
        "count(up)",
    ]
    assert [one.text for one in queries(page, "logql")] == ['{a="b"}', '{level="ERROR"}']


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("kubectl gt pods", "kubectl has no gt"),
        ("kubectl rollout stats deployment/backend", "kubectl rollout has no stats"),
        ("kubectl get pod,deploymnts", "no kind deploymnts"),
        ("kubectl get pods -n monitring", "no namespace monitring"),
        ("true; kubectl describe nod x", "no kind nod"),
        ("kubectl delete pvc --all -n mon; ls", "no namespace mon,"),
        ("kubectl apply --server-side -f k8s-fixtures/namespace.yaml", "no file k8s-fixtures/namespace.yaml"),
    ],
)
def test_a_call_that_kubectl_would_not_take_is_found(line: str, why: str) -> None:
    (call,) = calls(Page("x.md", f"```sh\n{line}\n```"))
    (found,) = mistakes(call, NAMESPACES)
    assert why in found


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ('{app="backend"}', "no stream has the label app"),
        ('{service="bakend"}', "there is no service bakend"),
        ('{namespace="loging"} |= "x"', "there is no namespace loging"),
        ('{level=~"ERROR|FATAL"}', "there is no level FATAL"),
        ('{service="backend"} | jsn | status >= 500', "no stage jsn"),
        ('sum(rate({service="backend"}[5m])', "a () is not closed"),
        ('{service="backend"} |= "x', "a text is not closed"),
        ("count_over_time(x[5m])", "it chooses no stream"),
        ('{service="backend", level}', "is no selector"),
    ],
)
def test_logql_that_finds_nothing_is_told(query: str, why: str) -> None:
    (found,) = logql_mistakes(Shown("x.md:1", query), SERVICES, NAMESPACES)
    assert why in found

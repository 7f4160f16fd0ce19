"""What may stand in a runbook's blocks. The suite `alerts` runs them against the cluster."""

from pathlib import Path

import pytest

from .catalog import MONITORING
from .metrics import LIST, named, read_list, unknown
from .promtool import output_of
from .runbooks import Block, blocks, changing, filled, refused, runnable
from .test_metrics import recorded

RUNBOOKS = sorted((MONITORING / "runbooks").glob("*.md"))
RUNBOOK = """\
# Example

**Meaning.** It is so.

**First five minutes**

1. Look:
   ```promql
   up{service="$SERVICE"}
   ```
```sh fault
kubectl logs $POD --previous
```

**Cure.**
```sh
kubectl delete pod $POD
```
"""


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_there_are_runbooks() -> None:
    assert len(RUNBOOKS) >= 60


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_runbooks_blocks_only_read(path: Path) -> None:
    assert [reason for block in runnable(text(path)) for reason in refused(block)] == []


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_fence_is_closed_and_in_a_section(path: Path) -> None:
    assert text(path).count("```") == 2 * len(blocks(text(path)))


def test_every_query_parses_and_names_metrics_that_the_cluster_has() -> None:
    exposed, names = read_list(text(LIST)), recorded()
    queries = {path: [block.text for block in runnable(text(path)) if block.language == "promql"] for path in RUNBOOKS}
    assert sum(map(len, queries.values())) >= 60
    if unknown(named([query for each in queries.values() for query in each], output_of), exposed, names):
        wrong = {path.name: unknown(named(each, output_of), exposed, names) for path, each in queries.items()}
        pytest.fail(f"{LIST.name} has no such metrics: { {name: found for name, found in wrong.items() if found} }")


def test_blocks_know_their_section_and_whether_they_need_the_fault() -> None:
    found = blocks(RUNBOOK)
    assert [(block.section, block.language, block.fault) for block in found] == [
        ("First five minutes", "promql", False),
        ("First five minutes", "sh", True),
        ("Cure", "sh", False),
    ]
    assert found[0].text == 'up{service="$SERVICE"}'
    assert runnable(RUNBOOK) == found[:2]


def test_placeholders_are_filled_by_whole_words() -> None:
    values = {"NAMESPACE": "default", "SERVICE": "backend", "POD": "backend-1", "NODE": "worker"}
    assert filled("-n $NAMESPACE $POD $PODS $SERVICE-db", values) == "-n default backend-1 $PODS backend-db"


@pytest.mark.parametrize(
    "line",
    [
        "kubectl get pods",
        "kubectl -n $NAMESPACE describe pod $POD",
        "kubectl --namespace=default logs $POD --tail=50",
        "kubectl -n default rollout history deployment/$SERVICE",
        "kubectl auth can-i list pods --as=system:serviceaccount:monitoring:prometheus",
        "kubectl get --raw /readyz?verbose",
        "kubectl get pods -o jsonpath={.items[*].metadata.name}",
    ],
)
def test_what_only_reads_is_accepted(line: str) -> None:
    assert changing(line) == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kubectl delete pod x", "may change something: delete"),
        ("kubectl -n default delete pod get", "may change something: delete"),
        ("kubectl rollout restart deployment/x", "may change something: rollout"),
        ("kubectl auth reconcile -f x", "may change something: auth"),
        ("kubectl -n get", "may change something"),
        ("kubectl exec x -- get", "may change something: exec"),
        ("kubectl", "may change something"),
        ("helm history x", "no kubectl"),
        ("kubectl get pods | xargs kubectl delete", "more than one command"),
        ("kubectl get pods; rm x", "more than one command"),
        ("kubectl get pods && rm x", "more than one command"),
        ("kubectl get $(rm x)", "more than one command"),
        ("kubectl get pods > x", "more than one command"),
    ],
)
def test_what_may_change_something_is_refused(line: str, expected: str) -> None:
    assert expected in changing(line)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (Block("Cure", "bash", "ls"), "none of promql, logql, sh"),
        (Block("Cure", "promql fault", "up"), "none of promql, logql, sh"),
        (Block("Cure", "", "up"), "none of promql, logql, sh"),
        (Block("Cure", "promql", 'up{pod="$CONTAINER"}'), "placeholder $CONTAINER"),
        (Block("Cure", "sh", ""), "empty"),
        (Block("Cure", "sh", "kubectl get pods\nkubectl delete pod x"), "may change something"),
    ],
)
def test_a_block_that_nobody_can_run_is_refused(block: Block, expected: str) -> None:
    assert expected in "\n".join(refused(block))

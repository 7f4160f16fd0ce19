"""The diagrams: what they draw is what code, charts and fixtures say, and nothing is missing."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.unit.docs.diagrams import Edge, edges, labels, members
from tests.unit.docs.pages import ROOT, page

from sluice.promotion.ledger import ENDED, NEXT

SERVICES = {
    tomllib.loads(path.read_text(encoding="utf-8"))["service"]["name"]: path.parent
    for path in sorted((ROOT / "services").glob("*/service.toml"))
}
SIDECAR = "daprd"
EVENTS = ROOT / "services" / "servicekit" / "src" / "servicekit" / "events.py"


def test_the_steps_are_those_of_the_pipeline() -> None:
    drawn = labels(page("docs/architecture.md").diagram("flowchart TD"))
    assert set(drawn) == set(_steps(ROOT / "ci/src/sluice/pipeline.py"))


def test_no_step_comes_before_what_it_waits_for() -> None:
    drawn = [(one.start, one.end) for one in edges(page("docs/architecture.md").diagram("flowchart TD"))]
    left = set(drawn)
    while left:  # takes away what waits for nothing; what is left goes round in a circle
        free = {start for start, _ in left} - {end for _, end in left}
        assert free, f"a circle: {sorted(left)}"
        left = {(start, end) for start, end in left if start not in free}


def test_the_states_are_those_of_the_ledger() -> None:
    drawn = {(one.start, one.end) for one in edges(page("docs/architecture.md").diagram("stateDiagram-v2"))}
    wanted = {(state, following) for state, after in NEXT.items() for following in after}
    begin = {("[*]", state) for state in NEXT if not any(state in after for after in NEXT.values())}
    assert drawn == wanted | begin | {(state, "[*]") for state in ENDED}


def test_the_connections_are_those_that_services_require() -> None:
    """As the sources have it; tests/charts/test_connections.py compares the whole diagram with what is rendered."""
    drawn = edges(page("docs/system.md").diagram("flowchart TB"))
    wanted = {(SIDECAR, _broker())}
    for name, folder in SERVICES.items():
        required = tomllib.loads((folder / "service.toml").read_text(encoding="utf-8"))["service"]["requires"]
        # What speaks to Kafka does so by its sidecar.
        wanted |= {(name, SIDECAR if one == "dapr" else one) for one in required if one != "kafka"}
        assert ("kafka" in required) == ("dapr" in required), name
    inside = {SIDECAR, *SERVICES, "postgresql", _broker()}
    assert {(one.start, one.end) for one in drawn if {one.start, one.end} <= inside} == wanted


def test_the_topics_are_those_that_services_write_and_read() -> None:
    drawn = edges(page("docs/system.md").diagram("flowchart LR"))
    topics = set(_topics().values())
    told = {(one.start, one.label.replace(" ", "-"), one.end) for one in drawn if "kafka" in (one.start, one.end)}
    wanted = set()
    for name, folder in SERVICES.items():
        written, read = _written_and_read(folder)
        wanted |= {(name, one, "kafka") for one in written} | {("kafka", one, name) for one in read}
    assert {one for _, one, _ in told} == topics
    assert told == wanted


def test_every_service_is_drawn() -> None:
    drawn = edges(page("docs/system.md").diagram("flowchart LR"))
    assert SERVICES.keys() <= {end for one in drawn for end in (one.start, one.end)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a --> b", [Edge("a", "", "b")]),
        ("a[Some text] -- told --> b([x]) --> c", [Edge("a", "told", "b"), Edge("b", "", "c")]),
        ("a & b <--> c[(Store)]", [Edge("a", "", "c"), Edge("b", "", "c")]),
        (
            "kafka -- dead letters --> a-b & c",
            [Edge("kafka", "dead letters", "a-b"), Edge("kafka", "dead letters", "c")],
        ),
        ("[*] --> planned", [Edge("[*]", "", "planned")]),
    ],
)
def test_edges_are_read(line: str, expected: list[Edge]) -> None:
    assert edges(f"flowchart LR\n  {line}\n") == expected


def test_members_of_subgraphs_are_read_with_its_title() -> None:
    drawn = "flowchart TB\n  a --> b\n  subgraph x [namespace y]\n    b\n    c & d[(Store)]\n  end\n  e --> c\n"
    assert members(drawn) == dict.fromkeys("bcd", "namespace y")


def test_states_are_read_by_their_names_and_an_id_that_mermaid_cannot_read_is_found() -> None:
    named = 'stateDiagram-v2\n  state "rolled-back" as gone\n  planned --> gone\n'
    assert edges(named) == [Edge("planned", "", "rolled-back")]
    with pytest.raises(AssertionError, match="no state"):
        edges("stateDiagram-v2\n  planned --> rolled-back\n")


def _steps(path: Path) -> Iterator[str]:
    """The names that `run.step` is given; of what is filled in, `…`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.step":
            match node.args[0]:
                case ast.Constant(value=str(name)):
                    yield name
                case ast.JoinedStr(values=parts):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)


def _broker() -> str:
    """What the sidecars' pub/sub component speaks to."""
    file = ROOT / "k8s-fixtures" / "dapr" / "components" / "pubsub.yaml"
    component = yaml.safe_load(file.read_text(encoding="utf-8"))
    brokers = next(one["value"] for one in component["spec"]["metadata"] if one["name"] == "brokers")
    assert component["spec"]["type"] == f"pubsub.{brokers.partition(':')[0]}"
    return str(brokers.partition(":")[0])


def _topics() -> dict[str, str]:
    """The topic of each kind of event, by the name that services import."""
    found = re.findall(r'^(\w+) = EventType\("[^"]+", \d+, "([^"]+)"', EVENTS.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def _written_and_read(folder: Path) -> tuple[set[str], set[str]]:
    """The topics that a service writes and reads.

    What is read stands where a handler is registered (`subscriptions.on`), or in a dictionary of the kinds that are;
    what is written where `outbox.add` is called, or where a function returns the kind to add. What a service cannot do
    with an event goes to the dead letters, by servicekit, wherever something is read.
    """
    by_name = _topics()
    tasks = [name for name, topic in by_name.items() if topic == "tasks"]
    groups = {"TASK_EVENTS": tasks, "ALL_EVENTS": list(by_name)}
    read: set[str] = set()
    written: set[str] = set()
    for path in sorted((folder / "src").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for statement in _statements(ast.parse(source)):
            text = ast.unparse(statement)
            names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
            kinds = {kind for name in names for kind in groups.get(name, [name]) if kind in by_name}
            if "subscriptions.on(" in text or "EventType[Any]]" in text:
                read |= {by_name[kind] for kind in kinds}
            elif "outbox.add(" in text or "-> EventType" in text:
                written |= {by_name[kind] for kind in kinds}
    return written | {by_name["DEAD_LETTER"]}, read


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Loops and plain statements, and functions whole where they return a kind of event."""
    for node in ast.walk(tree):
        returns = ast.unparse(node.returns) if isinstance(node, ast.FunctionDef) and node.returns else ""
        if isinstance(node, ast.For | ast.Expr | ast.AnnAssign | ast.FunctionDef) and (
            not isinstance(node, ast.FunctionDef) or "EventType" in returns
        ):
            yield node

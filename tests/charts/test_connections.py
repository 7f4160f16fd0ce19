"""The diagram of the delivered system (docs/system.md): what it draws is what charts and fixtures make, and no less."""

import copy

import pytest
from tests.unit.docs.diagrams import Edge, edges, members
from tests.unit.docs.pages import page

from .connections import CLUSTERS_OWN, LOG_FILES, SIDECAR, USERS, System, delivered
from .rendering import SERVICE_CHARTS, Helm, Manifest, of_kind

PAGE = "docs/system.md"


@pytest.fixture(scope="module")
def system(helm: Helm) -> System:
    return delivered(helm)


def drawn() -> str:
    return page(PAGE).diagram("flowchart TB")


def differences(system: System, diagram: str) -> list[str]:
    """What stands in one and not in the other, edges and nodes."""
    found, told = system.edges(), set(edges(diagram))
    lines = [f"not drawn: {_shown(one)}" for one in sorted(found - told)]
    lines += [f"drawn, and neither rendered nor a fixture: {_shown(one)}" for one in sorted(told - found)]
    nodes, inside = system.nodes(), members(diagram)
    lines += [f"not drawn in namespace {nodes[one]}: {one}" for one in sorted(nodes) if one not in inside]
    lines += [f"drawn, and nothing makes it: {one}" for one in sorted(inside) if one not in nodes]
    lines += [
        f"{one} is in namespace {nodes[one]}, not in {inside[one]}"
        for one in sorted(nodes.keys() & inside.keys())
        if inside[one] != f"namespace {nodes[one]}"
    ]
    return lines


def _shown(edge: Edge) -> str:
    return f"{edge.start} -- {edge.label} --> {edge.end}" if edge.label else f"{edge.start} --> {edge.end}"


def test_the_diagram_is_what_charts_and_fixtures_make(system: System) -> None:
    assert differences(system, drawn()) == [], f"mend {PAGE}"


def test_what_stands_outside_of_every_namespace_is_no_workload(system: System) -> None:
    ends = {end for one in edges(drawn()) for end in (one.start, one.end)}
    outside = ends - members(drawn()).keys()
    assert {*CLUSTERS_OWN, USERS, LOG_FILES} <= outside
    assert outside & system.nodes().keys() == set()


def test_the_services_of_the_events_diagram_are_those_with_a_sidecar(system: System) -> None:
    events = edges(page(PAGE).diagram("flowchart LR"))
    told = {end for one in events if "kafka" in (one.start, one.end) for end in (one.start, one.end)} - {"kafka"}
    assert told == {one.start for one in system.edges() if one.end == SIDECAR and not one.label}
    assert (SIDECAR, "", "kafka") in system.edges()


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("  promtail --> loki\n", "", "not drawn: promtail --> loki"),
        ("  grafana --> prometheus & loki", "  grafana --> prometheus", "not drawn: grafana --> loki"),
        ("    sync\n", "", "not drawn in namespace default: sync"),
        ("    sync\n", "    sync\n    billing\n", "drawn, and nothing makes it: billing"),
        ("database sync", "database audit", "not drawn: sync -- database sync --> postgresql"),
        ("    promtail[", "    loki\n  end\n  subgraph x [namespace y]\n    promtail[", "in namespace logging, not in"),
        (
            "  kafka-exporter --> kafka\n",
            "  kafka-exporter --> kafka & audit\n",
            "fixture: kafka-exporter --> audit",
        ),
    ],
)
def test_a_diagram_that_differs_is_found(system: System, line: str, instead: str, said: str) -> None:
    changed = drawn().replace(line, instead)
    assert changed != drawn()
    assert any(said in one for one in differences(system, changed)), differences(system, changed)


def test_a_service_more_is_found_with_all_that_it_needs(system: System) -> None:
    """A chart that is new: its workload, its sidecar, its database, its metrics."""
    parts = list(system.parts)
    first = copy.deepcopy(parts[0])
    old = SERVICE_CHARTS[0]
    renamed = [_renamed(one, old) for one in first.manifests]
    more = System([*parts, type(first)(first.namespace, renamed, {})], system.cloud)
    assert differences(more, drawn()) == [
        "not drawn: billing --> daprd",
        "not drawn: billing -- database billing --> postgresql",
        "not drawn: prometheus -- scrapes --> billing",
        "not drawn in namespace default: billing",
    ]


def test_an_address_that_a_chart_gets_is_found(system: System) -> None:
    parts = copy.deepcopy(system.parts)
    deployment = next(one for part in parts for one in of_kind(part.manifests, "Deployment"))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container.setdefault("env", []).append({"name": "LOGS", "value": "http://loki.logging:3100/loki/api/v1/push"})
    found = differences(System(parts, system.cloud), drawn())
    assert found == [f"not drawn: {deployment['metadata']['name']} --> loki"]


def _renamed(manifest: Manifest, old: str) -> Manifest:
    """A manifest with another service's name wherever a whole text, or an argument's value, is the old one."""

    def walk(value: object) -> object:
        if isinstance(value, dict):
            return {key: walk(each) for key, each in value.items()}
        if isinstance(value, list):
            return [walk(each) for each in value]
        return (
            {old: "billing", f"--app-id={old}": "--app-id=billing"}.get(value, value)
            if isinstance(value, str)
            else value
        )

    changed = walk(manifest)
    assert isinstance(changed, dict)
    return changed

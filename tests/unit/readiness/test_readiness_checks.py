"""Every automatic check: it passes on a good target, and is seen failing on a planted fault."""

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.unit.readiness.faults import ALSO, FAULTS, Fault
from tests.unit.readiness.good import GKE, NOW, good
from tests.unit.readiness.more_faults import FINE, MORE

from sluice.readiness import judge, load_catalog
from sluice.readiness.checks import CHECKS
from sluice.readiness.checks.capacity import quantity
from sluice.readiness.checks.logs import seconds
from sluice.readiness.model import ItemResult
from sluice.readiness.snapshot import Snapshot

CATALOG = load_catalog()
AUTOMATIC = {item.id for item in CATALOG.items if item.automatic}
# These look at the target's own file, or at what a target may well be without.
WITHOUT_A_SYSTEM = {
    "architecture.apart",
    "deployment.guarded",
    "deployment.tried-first",
    "documentation.described",
    "networking.tls",
}


def results(snapshot: Snapshot) -> dict[str, ItemResult]:
    return {item.id: item for item in judge(CATALOG, snapshot).items if item.id in AUTOMATIC}


def test_every_automatic_item_has_a_check_and_a_fault() -> None:
    assert set(CHECKS) == AUTOMATIC
    assert set(FAULTS) == AUTOMATIC


def test_a_good_target_passes_all_of_them() -> None:
    found = results(good())
    assert {id_: item.wrong for id_, item in found.items() if item.state != "passed"} == {}
    assert all(item.seen for item in found.values()), "each says what it looked at"


@pytest.mark.parametrize("id_", sorted(AUTOMATIC))
def test_a_planted_fault_is_found_and_no_other(id_: str) -> None:
    snapshot = good()
    snapshot = FAULTS[id_](snapshot) or snapshot
    found = results(snapshot)
    assert found[id_].state == "failed"
    assert found[id_].wrong
    fallen = {name for name, item in found.items() if item.state != "passed"}
    assert fallen == {id_} | ALSO.get(id_, frozenset())


@pytest.mark.parametrize(("id_", "fault", "said"), MORE, ids=[f"{id_} {said}" for id_, _, said in MORE])
def test_the_other_ways_to_fail_are_told(id_: str, fault: Fault, said: str) -> None:
    snapshot = good()
    found = results(fault(snapshot) or snapshot)[id_]
    assert found.state == "failed"
    assert any(said in one for one in found.wrong), found.wrong


@pytest.mark.parametrize(("id_", "change"), FINE, ids=[f"{id_} {number}" for number, (id_, _) in enumerate(FINE)])
def test_what_is_no_fault_is_none(id_: str, change: Fault) -> None:
    snapshot = good()
    assert results(change(snapshot) or snapshot)[id_].wrong == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100m", "0.1"),
        ("2", "2"),
        ("1k", "1000"),
        ("64Mi", "67108864"),
        ("1Gi", "1073741824"),
        ("41216Ki", "42205184"),
        ("7n", "7e-9"),
    ],
)
def test_quantities_are_those_of_kubernetes(text: str, value: str) -> None:
    assert quantity(text) == Decimal(value)


def test_what_is_no_quantity_is_told() -> None:
    with pytest.raises(ValueError, match="much"):
        quantity("much")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15d", 1_296_000),
        ("4w2d", 2_592_000),
        ("720h0m0s", 2_592_000),
        ("500ms", 0.5),
        ("1y", 31_536_000),
        ("soon", 0),
        ("", 0),
    ],
)
def test_durations_are_those_of_prometheus_and_loki(text: str, value: float) -> None:
    assert seconds(text) == value


def test_where_there_is_nothing_nothing_passes() -> None:
    passed = {id_ for id_, item in results(Snapshot(NOW, GKE)).items() if item.state == "passed"}
    assert passed == WITHOUT_A_SYSTEM


@pytest.mark.parametrize("source", ["tree", "charts", "cluster", "prometheus", "alertmanager", "loki", "ledger"])
def test_what_could_not_be_asked_is_not_passed(source: str) -> None:
    found = results(replace(good(), missing={source: "no answer within 30 s"}))  # type: ignore[dict-item]
    reading = {item.id for item in CATALOG.items if source in item.reads}
    assert reading
    for id_, item in found.items():
        assert item.state == ("unchecked" if id_ in reading else "passed")
    assert all(found[id_].wrong == (f"{source}: no answer within 30 s",) for id_ in reading)

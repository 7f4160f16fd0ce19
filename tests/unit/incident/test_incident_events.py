"""Events of Kubernetes, as objects and as lines of a run's file, and entries of a ledger."""

from dataclasses import replace

from tests.unit.delivery.books import Book

from sluice.incident.window import Window
from sluice.ports import ClusterEvent
from sluice.steps.cluster_text import event_line
from sluice.steps.incident_events import event_happenings, events_of, promotion_happenings, stood_at, too_old

WHEN = Window(1000.0, 2000.0)
BACK_OFF = ClusterEvent(1500.125, "default", "Pod", "backend-1", True, "BackOff", "back-off 40s: (waiting) `x`", 7)
SCALED = ClusterEvent(1200.0, "default", "Deployment", "backend", False, "ScalingReplicaSet", "Scaled up to 3")
PULLED = ClusterEvent(1201.0, "default", "Pod", "backend-1", False, "Pulled", "image is present")


def test_warnings_and_what_was_scaled_are_told_and_what_is_usual_is_not() -> None:
    found = event_happenings([BACK_OFF, SCALED, PULLED], WHEN)
    assert sorted((one.at, one.where, one.what, one.more) for one in found) == [
        (1200.0, "default/Deployment/backend", "ScalingReplicaSet", "Scaled up to 3"),
        (1500.125, "default/Pod/backend-1", "BackOff, 7 times up to then", "back-off 40s: (waiting) `x`"),
    ]


def test_what_befalls_pods_of_one_owner_within_two_minutes_is_one() -> None:
    one = replace(BACK_OFF, name="backend-6d96f848f5-rs85g", count=2, at=1100.0)
    events = [one, replace(one, name="backend-6d96f848f5-x2x2x", at=1200.0, count=1, message="last"), one]
    later = replace(one, at=1320.1)
    found = event_happenings([*events, later, replace(one, reason="Failed"), replace(one, name="loki-0")], WHEN)
    assert sorted(
        (item.at, item.what, item.where, item.until, item.more) for item in found if "BackOff" in item.what
    ) == [
        (1100.0, "BackOff, 2 times up to then", "default/Pod/loki-0", None, BACK_OFF.message),
        (1100.0, "BackOff, 3 times up to then on 2 of them", "default/Pod/backend-*", 1200.0, "last"),
        (1320.1, "BackOff, 2 times up to then", "default/Pod/backend-6d96f848f5-rs85g", None, BACK_OFF.message),
    ]
    assert len(found) == 4


def test_two_minutes_are_not_too_far_apart() -> None:
    for apart, count in ((120.0, 1), (120.5, 2)):
        assert len(event_happenings([BACK_OFF, replace(BACK_OFF, at=BACK_OFF.at + apart)], WHEN)) == count


def test_names_that_people_gave_are_not_shortened() -> None:
    one = replace(BACK_OFF, kind="Deployment", name="backend-blue1")
    found = event_happenings([one, replace(one, name="backend-green")], WHEN)
    assert sorted(item.where for item in found) == [
        "default/Deployment/backend-blue1",
        "default/Deployment/backend-green",
    ]


def test_what_is_outside_and_what_is_there_twice_does_not_count() -> None:
    events = [replace(BACK_OFF, at=999.9), replace(BACK_OFF, at=2000.1), BACK_OFF, BACK_OFF]
    assert len(event_happenings(events, WHEN)) == 1


def test_lines_are_read_back_as_they_were() -> None:
    node = ClusterEvent(1600.0, "", "Node", "n", True, "NodeNotReady", "Node n status is now: NodeNotReady")
    text = "".join(map(event_line, (BACK_OFF, SCALED, node)))
    assert list(events_of(text)) == [BACK_OFF, SCALED, node]


def test_what_is_no_line_of_an_event_is_left_out() -> None:
    assert list(events_of("no event\n\n9999-99-99T00:00:00Z Normal a/b/c d: e\nhalf of 2026-11-07T")) == []


def test_what_kubernetes_has_forgotten_is_said() -> None:
    assert too_old([replace(BACK_OFF, at=900.0), BACK_OFF], WHEN) is None
    assert too_old([replace(BACK_OFF, at=WHEN.start)], WHEN) is None
    found = too_old([BACK_OFF], WHEN)
    assert found is not None
    assert "1970-01-01T00:25:00.125Z" in found.why
    nothing = too_old([], WHEN)
    assert nothing is not None
    assert "none any more" in nothing.why


def test_a_promotion_that_went_back_by_itself() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0, "planned", "copied", "deployed", "rolled-back")
    assert [(one.at, one.what) for one in promotion_happenings(book.entries, WHEN)] == [
        (1000.0, "release id-B: promotion begins"),
        (1060.0, "release id-B: its images are copied, charts are being installed"),
        (1120.0, "release id-B: it is deployed, and being verified"),
        (1180.0, "release id-B: rolled back"),
    ]


def test_a_rollback_is_called_so_and_who_did_it_is_told() -> None:
    found = promotion_happenings(Book().had("A", 0.0).had("B", 500.0).back("A", 1500.0).entries, WHEN)
    assert found[0].what == "rollback to id-A: promotion begins"
    assert {one.more for one in found} == {"by Ada"}
    assert {one.where for one in found} == {"gke"}


def test_what_stood_at_the_beginning() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0)
    assert stood_at(book.entries, 1000.0).startswith("id-A, verified 1970-01-01T00:03:00")
    assert stood_at(book.entries, 1181.0).startswith("id-B")
    verified = book.entries[-1].at
    assert stood_at(book.entries, verified).startswith("id-A"), "what was verified just then is what came"
    assert stood_at((), 1000.0) == "none that was verified"

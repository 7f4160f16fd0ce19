"""Alerts, restarts and burning budgets as series tell them."""

import math

from tests.unit.incident.plots import STEP, WHEN, alert, restarts, seen, told, why

from sluice.domain import Series
from sluice.incident.model import Happening
from sluice.steps.incident_series import alert_happenings, burn_happenings, restart_happenings


def test_an_alert_from_pending_to_its_end() -> None:
    series = [alert("pending", *seen(1105, 1165)), alert("firing", *seen(1180, 1480))]
    found = alert_happenings(series, WHEN, STEP)
    assert told(found) == [(1180, "Down (critical) fires", 1480), (1480, "Down (critical) is over", None)]
    assert found[0].where == "namespace=default, pod=b-1, service=backend"
    assert found[0].more == "pending since 1970-01-01T00:18:25.000Z"


def test_what_waited_and_did_not_fire_is_told_once() -> None:
    series = [
        alert("pending", *seen(1105, 1120), *seen(1300, 1345)),
        alert("pending", *seen(1030, 1045), pod="b-2"),
        alert("pending", *seen(1060, 1075), alertname="Slow", severity=""),
    ]
    assert told(alert_happenings(series, WHEN, STEP)) == [
        (1030, "Down (critical) is pending, 3 times in all, and does not fire", 1345),
        (1060, "Slow is pending and does not fire", 1075),
    ]


def test_it_fires_by_its_own_waiting_and_not_by_anothers() -> None:
    series = [alert("pending", *seen(1105, 1165), pod="b-2"), alert("firing", *seen(1180, 1480))]
    assert [one.more for one in alert_happenings(series, WHEN, STEP)] == ["", "", ""]
    early = [alert("pending", *seen(1015, 1030)), alert("firing", *seen(1180, 1480))]
    assert len(alert_happenings(early, WHEN, STEP)) == 3


def test_one_that_was_there_before_and_one_that_goes_on_say_so() -> None:
    found = alert_happenings([alert("firing", *seen(1000, 1990))], WHEN, STEP)
    assert told(found) == [(1000, "Down (critical) fires, since before this time", None)]


def test_one_that_fires_twice_is_told_twice() -> None:
    found = alert_happenings([alert("firing", *seen(1105, 1120), *seen(1500, 1515))], WHEN, STEP)
    assert [at for at, what, _ in told(found) if what.endswith("fires")] == [1105, 1500]


def test_a_point_that_is_missing_does_not_end_it() -> None:
    found = alert_happenings([alert("firing", *seen(1105, 1120), *seen(1150, 1165))], WHEN, STEP)
    assert told(found)[0] == (1105, "Down (critical) fires", 1165)


def test_each_rise_is_a_restart_with_its_reason() -> None:
    counts = restarts((1000, 1), (1015, 1), (1030, 2), (1045, 4))
    reasons = [why("Error", (1000, 1), (1015, 1)), why("OOMKilled", (1030, 1), (1045, 1))]
    assert restart_happenings([counts], reasons, WHEN) == [
        Happening(1030, "restart", "started again", "default/b-1/backend", None, "OOMKilled"),
        Happening(1045, "restart", "started again, 2 times", "default/b-1/backend", None, "OOMKilled"),
    ]


def test_what_was_counted_before_is_no_restart() -> None:
    assert restart_happenings([restarts((1000, 7), (1015, 7))], [], WHEN) == []


def test_a_container_that_was_born_with_a_restart_had_one() -> None:
    (found,) = restart_happenings([restarts((1300, 1), (1315, 1))], [], WHEN)
    assert (found.at, found.what, found.more) == (1300, "started again", "")


def test_a_pod_that_is_gone_and_nan_are_no_restart() -> None:
    assert restart_happenings([restarts((1000, 3), (1015, math.nan), (1030, 3), (1045, 0))], [], WHEN) == []


def test_a_budget_that_burned_fast() -> None:
    points = ((1105.0, 20.0), (1120.0, 123.4), (1135.0, 15.0), (1990.0, 16.0), (1995.0, math.nan))
    first, last = burn_happenings([Series({"service": "backend", "slo": "availability"}, points)], WHEN, STEP)
    assert (first.at, first.until, first.where) == (1105, 1135, "backend availability")
    assert "up to 123 times" in first.what
    assert (last.at, last.until, last.more) == (1990, None, "goes on at the end")

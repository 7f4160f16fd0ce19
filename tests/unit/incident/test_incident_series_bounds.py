"""Where alerts, restarts and burning budgets begin and end, and whose they are."""

import math
from dataclasses import replace

import pytest
from tests.unit.incident.plots import STEP, WHEN, alert, restarts, seen, told, why

from sluice.domain import Series
from sluice.incident.spikes import Spike, spikes
from sluice.incident.window import Window, window
from sluice.steps.incident_series import FASTEST, alert_happenings, burn_happenings, restart_happenings

LAST = WHEN.end - STEP


@pytest.mark.parametrize(("waited", "since"), [(1150.0, True), (1149.0, False), (1180.0, False), (1195.0, False)])
def test_it_waited_where_that_ended_at_most_two_steps_before(waited: float, since: bool) -> None:
    series = [alert("pending", (waited, 1.0)), alert("firing", *seen(1180, 1480))]
    fires = next(one for one in alert_happenings(series, WHEN, STEP) if one.what.endswith("fires"))
    assert bool(fires.more) is since


@pytest.mark.parametrize(("over", "goes_on"), [(LAST, False), (LAST + 1, True)])
def test_what_is_there_at_the_last_point_goes_on(over: float, goes_on: bool) -> None:
    found = alert_happenings([alert("firing", (over - STEP, 1.0), (over, 1.0))], WHEN, STEP)
    assert found[0].until == (None if goes_on else over)
    (burns,) = burn_happenings([Series({}, ((over - STEP, 16.0), (over, 20.0)))], WHEN, STEP)
    assert (burns.until, burns.where) == (None if goes_on else over, "? ?")


def test_alerts_that_waited_in_vain_say_whose_they_all_are() -> None:
    series = [alert("pending", (1105.0 + number, 1.0), pod=f"b-{number}") for number in (3, 1, 2)]
    (one,) = alert_happenings(series, WHEN, STEP)
    assert one.where.startswith("namespace=default, pod=b-1")
    assert [told.partition("pod=")[2][:3] for told in one.more.split("; ")] == ["b-2", "b-3"]


def test_of_an_alerts_labels_those_are_told_that_say_whose_it_is() -> None:
    series = alert("firing", *seen(1105, 1120), instance="10.0.0.1:80", job="x", team="y", container="c", uid="u")
    nameless = replace(series, labels={"alertstate": "firing", "namespace": "default"})
    found = alert_happenings([series, nameless], WHEN, STEP)
    assert [(one.what, one.where) for one in found if one.until] == [
        ("Down (critical) fires", "namespace=default, pod=b-1, service=backend"),
        ("? fires", "namespace=default"),
    ]


def test_a_point_that_is_no_number_hides_no_restart() -> None:
    (found,) = restart_happenings([restarts((1000, 3), (1015, math.nan), (1030, 4))], [], WHEN)
    assert (found.at, found.what) == (1030, "started again")
    assert restart_happenings([restarts((1015, math.nan))], [], WHEN) == []


def test_burning_is_what_somebody_is_woken_for() -> None:
    assert FASTEST == 14.4  # 2 % of 30 days' budget in an hour


def test_a_reason_is_the_containers_own_of_then_and_in_force() -> None:
    another = Series(why("Other", (1030, 1)).labels | {"container": "daprd"}, ((1030, 1.0),))
    reasons = [why("Late", (1045, 1)), why("Gone", (1030, 0)), another, why("Early", (1000, 1)), why("It", (1030, 1))]
    (found,) = restart_happenings([restarts((1000, 1), (1030, 2))], reasons, WHEN)
    assert found.more == "It"
    (unknown,) = restart_happenings([restarts((1000, 1), (1060, 2))], reasons, WHEN)
    assert unknown.more == ""


def test_each_burning_tells_its_own_highest_rate() -> None:
    points = ((1105.0, 20.0), (1120.0, math.nan), (1135.0, 30.0), (1500.0, 16.0))
    found = list(burn_happenings([Series({}, points)], WHEN, STEP))
    assert [(one.at, one.what.split()[-5], one.more) for one in found] == [
        (1105, "30", "until 1970-01-01T00:18:55.000Z"),
        (1500, "16", "until 1970-01-01T00:25:00.000Z"),
    ]
    assert told(found)[0] == (1105, "its error budget burns at up to 30 times what is allowed", 1135)


def test_a_window_has_both_of_its_ends() -> None:
    assert [WHEN.has(at) for at in (999.9, 1000.0, 2000.0, 2000.1)] == [False, True, True, False]


def test_two_clocks_may_differ_by_a_minute() -> None:
    assert window("1970-01-01T00:10:00Z", "1970-01-01T00:21:00Z", now=1200.0) == Window(600.0, 1200.0)


@pytest.mark.parametrize(("gap", "count"), [(90.0, 1), (90.5, 2)])
def test_minutes_that_are_further_apart_than_one_and_a_half_are_two_spikes(gap: float, count: int) -> None:
    found = spikes([(1060.0, 5.0), (1060.0 + gap, 5.0)], start=1000.0, usual=0.0)
    assert len(found) == count
    assert found[0] == Spike(1000.0, 1060.0 + (gap if count == 1 else 0), 10 if count == 1 else 5, 5, 0.0)

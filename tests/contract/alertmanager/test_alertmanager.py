"""What a real Alertmanager does with the chart's configuration: whom it tells, what it keeps back, and when."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.alertmanager.conftest import ANNOTATIONS, Told, telling, within

PAGE, TICKET = {"pagerduty", "webhook"}, {"slack", "email"}


def alert(name: str, severity: str = "critical", **labels: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, "team": "services", "namespace": "default"} | labels


@pytest.mark.parametrize(("severity", "kinds"), [("critical", PAGE), ("warning", TICKET)])
def test_each_receiver_is_told_in_its_own_shape_and_told_again_when_it_is_over(
    told: Told, severity: str, kinds: set[str]
) -> None:
    one = alert(f"Told{severity.title()}", severity, service=f"told-{severity}")
    for status in ("firing", "resolved"):
        told.fire(one, resolved=status == "resolved")

        def came(status: str = status) -> None:
            found = told.record(one["alertname"])
            assert {kind: item["status"] for kind, item in found.items()} == dict.fromkeys(kinds, status)
            assert {item["service"] for item in found.values()} == {one["service"]}

        within(20, came)
    for kind, item in told.record(one["alertname"]).items():
        expected = set(ANNOTATIONS) - ({"description"} if kind == "pagerduty" else set())
        expected -= {"dashboard_url"} if kind == "slack" else set()  # it is the title's link
        assert {name for name in ANNOTATIONS if f"{name} of " in item["text"]} == expected, kind


def test_the_pager_shows_what_still_fires_of_a_group_and_how_much_that_is(told: Told) -> None:
    """A message of PagerDuty has room for one summary; alerts of a group come in the order of their labels."""
    alerts = [alert("Grouped", service="grouped", node=node) for node in ("a", "b", "c")]
    told.fire(*alerts)
    within(20, lambda: told.assert_paged("Grouped", "summary of Grouped a (1 of 3)"))
    told.fire(alerts[0], resolved=True)
    within(20, lambda: told.assert_paged("Grouped", "summary of Grouped b (1 of 2)"))
    told.fire(alerts[1], resolved=True)
    within(20, lambda: told.assert_paged("Grouped", "summary of Grouped c"))
    told.fire(alerts[2], resolved=True)
    within(20, lambda: told.assert_paged("Grouped", "summary of Grouped", status="resolved"))


def test_the_dead_mans_switch_is_told_again_and_again_and_nobody_else_is(told: Told) -> None:
    told.fire(alert("Watchdog", "none"))
    numbers: set[int] = set()

    def again() -> None:
        found = told.record("Watchdog")
        assert set(found) == {"watchdog"}
        numbers.add(found["watchdog"]["number"])
        assert len(numbers) >= 2, "it came once"

    within(30, again)


def test_what_is_critical_covers_the_warnings_of_the_same_service_only(told: Told) -> None:
    told.fire(
        alert("Cause", service="one"),
        alert("Covered", "warning", service="one"),
        alert("OfAnother", "warning", service="two"),
        alert("OfNone", "warning"),
        alert("CriticalOfNone"),
    )

    others = dict.fromkeys(("Cause", "OfAnother", "OfNone", "CriticalOfNone"), False)
    within(5, lambda: told.assert_kept_back({"Covered": True, **others}))


# One of each rule of docs/alerting.md: the cause, what follows, and by which labels the two belong together.
FOLLOWS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("ServiceUnavailable", "ServiceAbsent", {"service": "sync"}),
    ("ServiceAbsent", "KafkaConsumerGroupEmpty", {"service": "sync"}),
    ("ServiceErrorRatioHigh", "ErrorBudgetBurnFast", {"service": "sync", "slo": "availability"}),
    ("PostgresqlDown", "ServiceUnavailable", {}),
    ("KafkaDown", "KafkaConsumerStalled", {}),
    ("KafkaDown", "OutboxStale", {}),
    ("KafkaDown", "ErrorBudgetBurnFast", {"slo": "event-delivery"}),
    ("KafkaOfflinePartitions", "DaprPublishFailing", {}),
    ("DaprUnavailable", "DaprAppUnsubscribed", {"service": "sync"}),
    ("DaprPublishFailing", "OutboxStale", {"service": "sync"}),
    ("DaprAppUnsubscribed", "KafkaConsumerStalled", {"service": "sync"}),
    ("KafkaConsumerGroupEmpty", "KafkaConsumerStalled", {"service": "sync"}),
    ("LokiDown", "LogsNotArriving", {}),
    ("NodeNotReady", "KubeletDown", {"node": "one"}),
)
CLUSTER_WIDE = (("NodeNotReady", "PodNotReady"), ("ApiServerDown", "KubeletDown"), ("DnsDown", "ServiceUnavailable"))


@pytest.mark.parametrize(("cause", "follows", "same"), FOLLOWS)
def test_what_follows_from_a_fault_is_kept_back_where_the_fault_is(
    told: Told, cause: str, follows: str, same: dict[str, str]
) -> None:
    """In a namespace of the test's own; what follows fires once more in a place where its cause does not."""
    here, elsewhere = f"here-{cause}-{follows}", f"elsewhere-{cause}-{follows}"
    there = {**same, "node": elsewhere} if "node" in same else {**same, "namespace": elsewhere}
    told.fire(alert(cause, namespace=here) | same, alert(follows, namespace=here) | same, alert(follows) | there)

    def kept_back() -> None:
        found = told.alertmanager.get("/api/v2/alerts").raise_for_status().json()
        states = {
            (one["labels"]["alertname"], where): bool(one["status"]["inhibitedBy"])
            for one in found
            for where in (here, elsewhere)
            if where in one["labels"].values()
        }
        assert states == {(cause, here): False, (follows, here): True, (follows, elsewhere): False}

    within(5, kept_back)


@pytest.mark.parametrize(("cause", "follows"), CLUSTER_WIDE)
def test_what_a_lost_part_of_the_cluster_brings_about_is_kept_back_everywhere(
    tmp_path: Path, cause: str, follows: str
) -> None:
    with telling(tmp_path) as told:
        told.fire(alert(cause), alert(follows, namespace="another"))
        within(5, lambda: told.assert_kept_back({cause: False, follows: True}))


@pytest.mark.parametrize("within_hours", [True, False])
def test_tickets_wait_for_business_hours_and_pages_do_not(tmp_path: Path, within_hours: bool) -> None:
    today, other = (day.strftime("%A").lower() for day in (datetime.now(UTC), datetime.now(UTC) + timedelta(days=3)))
    hours = {"enabled": True, "days": [today if within_hours else other], "from": "00:00", "to": "24:00"}
    with telling(tmp_path, businessHours=hours) as told:
        told.fire(alert("Page", service="one"), alert("Ticket", "warning", service="two"))

        def paged() -> None:
            assert set(told.record("Page")) == PAGE
            assert set(told.record("Ticket")) == (TICKET if within_hours else set())
            assert told.muted() == {"Page": False, "Ticket": not within_hours}

        within(15, paged)

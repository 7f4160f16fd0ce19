"""Faults are provoked, and each is followed: inactive, pending, firing, told to whom it should be, resolved."""

import pytest
from tests.e2e.alerts.catalog import FIRST_ROUND
from tests.e2e.alerts.drill import Outcome, assert_as_it_should

# In a namespace of their own, and they wait most of the time: other suites go on meanwhile.
pytestmark = [pytest.mark.anyio, pytest.mark.beside]
ROUND = FIRST_ROUND

PAGES = (
    "DaprAppUnhealthy",
    "DaprAppUnsubscribed",
    "DaprComponentInitFailed",
    "DaprEventsDropped",
    "DaprPublishFailing",
    "DaprUnavailable",
    "EventDeliveriesRefused",
    "KafkaConsumerGroupEmpty",
    "KafkaConsumerStalled",
    "NodeNotReady",
    "ServiceAbsent",
    "ServiceUnavailable",
    "VolumeAlmostFull",
)
TICKETS = ("ContainerOomKilled", "JobFailed", "PodCrashLooping", "ServiceLatencyHigh", "VolumeClaimUnbound")


@pytest.mark.parametrize("alert", [*PAGES, *TICKETS])
async def test_a_fault_is_seen_told_and_over(outcomes: dict[str, Outcome], alert: str) -> None:
    assert_as_it_should(outcomes[alert], severity="critical" if alert in PAGES else "warning")


async def test_every_drill_is_looked_at(outcomes: dict[str, Outcome]) -> None:
    assert set(outcomes) == {*PAGES, *TICKETS}

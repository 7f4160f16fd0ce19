"""Faults are provoked, and each is followed: inactive, pending, firing, told to whom it should be, resolved."""

import pytest
from tests.e2e.alerts.drill import Outcome

pytestmark = [pytest.mark.anyio, pytest.mark.disturbing]

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
    "KafkaDown",
    "KubeletDown",
    "NodeNotReady",
    "ServiceAbsent",
    "ServiceErrorRatioHigh",
    "ServiceUnavailable",
    "VolumeAlmostFull",
)
TICKETS = ("ContainerOomKilled", "JobFailed", "PodCrashLooping", "ServiceLatencyHigh", "VolumeClaimUnbound")


@pytest.mark.parametrize("alert", [*PAGES, *TICKETS])
async def test_a_fault_is_seen_told_and_over(outcomes: dict[str, Outcome], alert: str) -> None:
    outcome = outcomes[alert]
    assert not outcome.failure, f"{outcome.drill.says}: {outcome.failure}"
    assert outcome.drill.severity == ("critical" if alert in PAGES else "warning")
    for kind, text in outcome.texts.items():
        for annotation in ("summary", "runbook_url"):
            assert outcome.annotations[annotation] in text, f"{kind} was not told the {annotation}: {text}"


async def test_every_drill_is_looked_at(outcomes: dict[str, Outcome]) -> None:
    assert set(outcomes) == {*PAGES, *TICKETS}

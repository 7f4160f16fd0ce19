"""The same for faults that others would feel, or that would hold back what the first drills bring about."""

import pytest
from tests.e2e.alerts.catalog import SECOND_ROUND
from tests.e2e.alerts.drill import Outcome, assert_as_it_should

pytestmark = [pytest.mark.anyio, pytest.mark.disturbing]
ROUND = SECOND_ROUND
PAGES = ("KafkaDown", "KubeletDown", "ServiceErrorRatioHigh")


@pytest.mark.parametrize("alert", PAGES)
async def test_a_fault_is_seen_told_and_over(outcomes: dict[str, Outcome], alert: str) -> None:
    assert_as_it_should(outcomes[alert], severity="critical")


async def test_every_drill_is_looked_at(outcomes: dict[str, Outcome]) -> None:
    assert set(outcomes) == set(PAGES)

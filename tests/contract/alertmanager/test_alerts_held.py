"""Alerts and silences of a real Alertmanager, as the timeline of an incident asks for them."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.contract.alertmanager.conftest import Told, within

from sluice.adapters.prometheus.alertmanager import AlertmanagerApi
from sluice.ports import HeldAlert, Silence

pytestmark = pytest.mark.anyio
LABELS = {"alertname": "SecretInLogs", "severity": "critical", "namespace": "default", "service": "held"}


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the pipeline runs on."""
    return "asyncio"


async def held(told: Told) -> tuple[list[HeldAlert], list[Silence]]:
    """What it holds of our service."""
    async with httpx.AsyncClient(base_url=told.alertmanager.base_url, trust_env=False) as client:
        alertmanager = AlertmanagerApi(client)
        alerts = [one for one in await alertmanager.alerts() if one.labels.get("service") == "held"]
        return alerts, [one for one in await alertmanager.silences() if "held" in one.matches]


async def test_an_alert_is_held_from_its_start_and_known_to_be_silenced(told: Told) -> None:
    before = datetime.now(UTC)
    told.fire(LABELS)
    (alert,), silences = await held(told)
    assert (alert.labels, silences) == (LABELS, [])
    assert alert.started == pytest.approx((before - timedelta(seconds=5)).timestamp(), abs=5)
    silence = {
        "matchers": [
            {"name": "service", "value": "held", "isRegex": False, "isEqual": True},
            {"name": "severity", "value": "warn.*", "isRegex": True, "isEqual": False},
        ],
        "startsAt": before.isoformat(),
        "endsAt": (before + timedelta(hours=1)).isoformat(),
        "createdBy": "ada",
        "comment": "known",
    }
    told.alertmanager.post("/api/v2/silences", json=silence).raise_for_status()

    def silenced() -> None:
        alerts = told.alertmanager.get("/api/v2/alerts").json()
        assert [one["status"]["state"] for one in alerts if one["labels"] == LABELS] == ["suppressed"]

    within(20, silenced)
    (alert,), (found,) = await held(told)
    assert alert.state == "suppressed"
    assert (found.who, found.comment) == ("ada", "known")
    assert found.matches == 'service="held", severity!~"warn.*"'
    assert found.ends - found.started == pytest.approx(3600, abs=5)

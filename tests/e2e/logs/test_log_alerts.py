"""Alerts on logs: the ruler has every rule and evaluates it; what fires is at the Alertmanager of all others."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.kube import Kube
from tests.e2e.logs.writers import Writers
from tests.e2e.support import SHIPPED_WITHIN, eventually
from tests.rules.log_rules import log_alerts

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

LEAK = "print('Authorization: Bearer opaque-0123456789abcdef')"
EVALUATED_WITHIN = 30.0
# Whom the suites' values send warnings to.
VALUES = Path(__file__).parents[1] / "values" / "monitoring.yaml"
TICKETS = yaml.safe_load(VALUES.read_text(encoding="utf-8"))["alertmanager"]["routes"]["tickets"]


async def rules(loki_http: ServiceProxy) -> dict[str, dict[str, Any]]:
    """What the ruler says of each rule, by its name."""
    groups = (await loki_http.get("/prometheus/api/v1/rules")).json()["data"]["groups"]
    return {rule["name"]: rule for group in groups for rule in group["rules"]}


async def test_every_rule_is_loaded_and_evaluated_without_an_error(loki_http: ServiceProxy) -> None:
    async def evaluated() -> dict[str, dict[str, Any]]:
        found = await rules(loki_http)
        assert set(found) == {alert.name for alert in log_alerts()}
        wrong = {name: rule["lastError"] or rule["health"] for name, rule in found.items() if rule["health"] != "ok"}
        assert not wrong, wrong
        return found

    for name, rule in (await eventually(evaluated, within=EVALUATED_WITHIN)).items():
        age = datetime.now(UTC) - datetime.fromisoformat(rule["lastEvaluation"][:19] + "+00:00")
        assert age.total_seconds() < 120, f"{name} was evaluated {age} ago"


async def test_a_secret_that_is_logged_fires_and_alertmanager_is_told(
    kube: Kube, context: SuiteContext, loki_http: ServiceProxy, alertmanager: ServiceProxy
) -> None:
    async with Writers(kube, min(context.services)).pod(LEAK) as pod:

        async def told() -> dict[str, Any]:
            response = await alertmanager.get("/api/v2/alerts", params={"filter": f'service="{pod}"'})
            alerts = [one for one in response.json() if one["labels"]["alertname"] == "SecretInLogs"]
            assert alerts, f"Alertmanager has no alert of {pod}; the rule is {(await rules(loki_http))['SecretInLogs']}"
            found: dict[str, Any] = alerts[0]
            return found

        alert = await eventually(told, within=SHIPPED_WITHIN + EVALUATED_WITHIN, every=1)
    labels = {name: alert["labels"][name] for name in ("alertname", "namespace", "service", "severity", "team")}
    assert labels == {
        "alertname": "SecretInLogs",
        "namespace": kube.namespace,
        "service": pod,
        "severity": "warning",
        "team": "platform",
    }
    assert "opaque" not in str(alert)
    assert alert["annotations"]["runbook_url"].endswith("helm/monitoring/runbooks/SecretInLogs.md")
    assert [one["name"] for one in alert["receivers"]] == [TICKETS]

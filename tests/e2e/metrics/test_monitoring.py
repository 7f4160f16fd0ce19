"""The monitoring itself: all targets up, all rules loaded and sound, alerts travel."""

from pathlib import Path

import pytest
import yaml
from tests.e2e.support import SCRAPED_WITHIN, eventually

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.run_suites import SuiteContext

# First: drills have targets that are down.
pytestmark = [pytest.mark.anyio, pytest.mark.first, pytest.mark.beside, pytest.mark.smoke]

RULES = Path(__file__).parents[3] / "helm" / "monitoring" / "rules"
OWN_TARGETS = {"alertmanager", "kube-state-metrics", "loki", "node-exporter", "prometheus"}


async def test_every_target_is_up_and_none_is_missing(prometheus: PrometheusMetrics, context: SuiteContext) -> None:
    async def all_up() -> None:
        targets = await prometheus.targets()
        down = [f"{target.pool} {target.url} is {target.health}: {target.error}" for target in targets]
        down = [line for line, target in zip(down, targets, strict=True) if target.health != "up"]
        assert not down, f"{len(down)} of {len(targets)} targets are not up:\n" + "\n".join(down)
        expected = OWN_TARGETS | set(context.services)
        missing = expected - {target.labels.get("service") for target in targets}
        assert not missing, f"no target has the label service of {sorted(missing)}"

    await eventually(all_up, within=SCRAPED_WITHIN)


async def test_every_rule_of_the_chart_is_loaded_and_sound(prometheus: PrometheusMetrics) -> None:
    written = {
        rule.get("alert") or rule["record"]
        for path in RULES.glob("*.yaml")
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }
    assert len(written) >= 10, f"{RULES} has {len(written)} rules only"

    async def all_sound() -> None:
        rules = await prometheus.rules()
        missing = written - {rule.name for rule in rules}
        assert not missing, f"not loaded: {sorted(missing)}"
        broken = [f"{rule.group}/{rule.name} is {rule.health}: {rule.error}" for rule in rules if rule.health != "ok"]
        assert not broken, f"{len(broken)} of {len(rules)} rules are not sound:\n" + "\n".join(broken)

    await eventually(all_sound, within=SCRAPED_WITHIN)


async def test_an_alert_travels_to_alertmanager(alertmanager: ServiceProxy) -> None:
    async def watchdog_is_there() -> None:
        response = await alertmanager.get("/api/v2/alerts", params={"filter": 'alertname="Watchdog"'})
        assert response.status_code == 200, f"{response.status_code}: {response.text}"
        states = [alert["status"]["state"] for alert in response.json()]
        assert "active" in states, f"Alertmanager has Watchdog in the states {states}"

    await eventually(watchdog_is_there, within=SCRAPED_WITHIN)

"""On a healthy cluster nobody is told anything but that alerts travel."""

import time

import anyio
import pytest
from tests.e2e.alerts.watching import Watch
from tests.e2e.support import eventually

from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.run_suites import SuiteContext

# First: every other suite provokes something, and no second look is at a cluster that nobody disturbed.
pytestmark = [pytest.mark.anyio, pytest.mark.first, pytest.mark.once]

# What the installation itself brought about is over by then: the longest window of the shortened rules, and some.
SETTLED_WITHIN = 240.0
FIRING = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'


async def test_a_healthy_cluster_has_no_alert_but_the_watchdog(
    context: SuiteContext, prometheus: PrometheusMetrics, watch: Watch
) -> None:
    async def settled() -> None:
        firing = await prometheus.instant(FIRING)
        assert not firing, f"firing: {[one.labels for one in firing]}"

    await eventually(settled, within=SETTLED_WITHIN, every=2)
    begun = time.monotonic()
    await watch.look()
    before = len(watch.record)
    await anyio.sleep(60 * context.quiet_minutes)
    seconds = round(time.monotonic() - begun)
    fired = await prometheus.instant(f"count_over_time({FIRING}[{seconds}s])")
    assert not fired, f"in {seconds} quiet seconds fired: {[one.labels for one in fired]}"
    await watch.look()
    told = watch.record[before:]
    # That something of before is over is told in a quiet time, too.
    firing = [one for one in told if one["kind"] != "watchdog" and one["status"] != "resolved"]
    assert not firing, f"told: {firing}"
    # It is told every ten seconds here; a minute's half is not to pass without it.
    alive = [one for one in told if one["kind"] == "watchdog"]
    assert len(alive) >= seconds / 30, f"the dead man's switch was told {len(alive)} times in {seconds} s"

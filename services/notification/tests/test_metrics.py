"""The exact names and labels that dashboards, rules and the gate rely on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 120


async def samples(system: Any) -> dict[str, float]:
    """Scrape and return values by `name{label=value,…}`."""
    text = (await system.client.get("/metrics")).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_every_series_is_there_from_the_start(system: Any) -> None:
    found = await samples(system)
    expected = {f"notification_delivery_duration_seconds_count{{channel={kind}}}" for kind in ("webhook", "email")}
    expected |= {
        f"notifications_sent_total{{channel={kind},outcome={outcome}}}"
        for kind in ("webhook", "email")
        for outcome in ("delivered", "retried", "dead")
    }
    expected |= {"notification_delay_seconds_count{}", "notification_deliveries_pending{}"}
    assert {name: found[name] for name in expected} == dict.fromkeys(expected, 0)
    counted = ("notifications_sent_total", "notification_delivery_duration_seconds_count")
    assert {name for name in found if name.startswith(counted)} <= expected, "no other labels"


async def test_attempts_are_counted_by_what_came_of_them(start: Any, receiver: Any) -> None:
    system = start(delivery_max_attempts=2)
    receiver.script.extend([500, 200, 404])
    await system.channel(url=receiver.url())
    await system.remind()
    await system.send_due()
    system.clock.move(100)
    await system.send_due()
    await system.remind()
    await system.send_due()
    found = await samples(system)
    for outcome in ("retried", "delivered", "dead"):
        assert found[f"notifications_sent_total{{channel=webhook,outcome={outcome}}}"] == 1
        assert found[f"notifications_sent_total{{channel=email,outcome={outcome}}}"] == 0
    assert found["notification_delivery_duration_seconds_count{channel=webhook}"] == 3
    assert found["notification_delay_seconds_count{}"] == 1
    assert 90 < found["notification_delay_seconds_sum{}"] < 110, "from the event's own time"


async def test_what_waits_is_measured(system: Any, receiver: Any) -> None:
    receiver.script.extend(["hang", "hang"])
    await system.channel(url=receiver.url())
    for _ in range(2):
        await system.remind()
    async with system.parts.service.app.router.lifespan_context(system.parts.service.app):
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (await samples(system))["notification_deliveries_pending{}"] != 2:
                await asyncio.sleep(0.02)

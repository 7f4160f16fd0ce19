"""Labels are bounded: no client can add series by what it asks for."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.anyio


async def samples(client: httpx.AsyncClient, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Scrape and return one metric's samples by their labels."""
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        if sample.name == name
    }


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    """Return labels as `samples` keys them."""
    return tuple(sorted(values.items()))


async def test_requests_are_counted_by_template(client: httpx.AsyncClient) -> None:
    for thing in ("1", "2", "3"):
        await client.get(f"/things/{thing}")
    counted = await samples(client, "http_requests_total")
    assert counted[labels(method="GET", route="/things/{thing_id}", status="200")] == 3


async def test_a_router_included_with_a_prefix_keeps_it_in_the_template(client: httpx.AsyncClient) -> None:
    await client.get("/nested/things/1")
    counted = await samples(client, "http_requests_total")
    assert counted[labels(method="GET", route="/nested/things/{thing_id}", status="200")] == 1


async def test_unhandled_errors_are_counted_as_500(client: httpx.AsyncClient) -> None:
    await client.put("/things/1")
    counted = await samples(client, "http_requests_total")
    assert counted[labels(method="PUT", route="/things/{thing_id}", status="500")] == 1


async def test_random_paths_and_methods_share_one_series(client: httpx.AsyncClient) -> None:
    await client.get("/first")
    await client.request("FIRST", "/first")
    before = set(await samples(client, "http_requests_total"))
    for number in range(20):
        await client.get(f"/random/{number}")
        await client.request(f"BREW{number}", f"/things/{number}/x")
    after = await samples(client, "http_requests_total")
    assert set(after) - before <= {labels(method="GET", route="/metrics", status="200")}
    assert after[labels(method="GET", route="unmatched", status="404")] == 21
    assert after[labels(method="other", route="unmatched", status="404")] == 21


async def test_durations_have_buckets_from_5_ms_to_10_s(client: httpx.AsyncClient) -> None:
    await client.get("/things/1")
    buckets = await samples(client, "http_request_duration_seconds_bucket")
    bounds = {dict(key)["le"] for key in buckets if dict(key)["route"] == "/things/{thing_id}"}
    assert {"0.005", "10.0", "+Inf"} <= bounds


async def test_process_metrics_are_there_and_created_gauges_are_not(client: httpx.AsyncClient) -> None:
    text = (await client.get("/metrics")).text
    assert "process_resident_memory_bytes" in text
    assert "python_info" in text
    assert "_created{" not in text

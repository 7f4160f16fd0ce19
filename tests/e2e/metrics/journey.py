"""The journey of the metrics suite: requests that nobody else makes, measured before and after."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
from tests.e2e.support import SCRAPED_WITHIN, Backend, Clients, eventually, number, shown
from tests.e2e.users import new_user

from sluice.adapters.prometheus.client import PrometheusMetrics

DELAYS = 3
DELAY_SECONDS = 0.3
TASKS = 5


@dataclass(frozen=True)
class Journey:
    """What was sent, and by how much each of QUERIES grew."""

    grew: Mapping[str, float]
    missing_task: str
    request_ids: tuple[str, ...]


def queries(selector: str) -> dict[str, str]:
    """Counts by a name; only this journey uses the route /faults/delay and the priority urgent."""
    delay = f'{selector}, method="POST", route="/faults/delay"'
    return {
        "delay requests": f'http_requests_total{{{delay}, status="200"}}',
        "delay observations": f"http_request_duration_seconds_count{{{delay}}}",
        "delay seconds": f"http_request_duration_seconds_sum{{{delay}}}",
        "delays up to 0.25 s": f'http_request_duration_seconds_bucket{{{delay}, le="0.25"}}',
        "delays up to 5 s": f'http_request_duration_seconds_bucket{{{delay}, le="5.0"}}',
        "urgent tasks": f'tasks_created_total{{{selector}, priority="urgent"}}',
        "insert statements": f'database_query_duration_seconds_count{{{selector}, operation="insert"}}',
        "insert seconds": f'database_query_duration_seconds_sum{{{selector}, operation="insert"}}',
    }


async def travel(clients: Clients, prometheus: PrometheusMetrics, selector: str) -> Journey:
    """Make the journey: a scrape is waited for before and after it."""
    ids: list[str] = []
    backend = clients.backend(new_user(), ids.append)
    # What earlier requests did must have been scraped, or it would be counted as ours.
    await _scraped(prometheus, selector)
    before = await _counts(prometheus, selector)
    missing_task = str(uuid.uuid4())
    await _send(backend, missing_task)
    await _scraped(prometheus, selector)
    after = await _counts(prometheus, selector)
    grew = {name: after[name] - before[name] for name in after}
    return Journey(grew=grew, missing_task=missing_task, request_ids=tuple(ids))


async def _send(backend: Backend, missing_task: str) -> None:
    async def delay() -> None:
        response = await backend.request("POST", "/faults/delay", params={"seconds": str(DELAY_SECONDS)})
        assert response.status_code == 200, (
            f"{response.status_code} {response.text}: the backend needs faults.enabled in its chart's values"
        )

    async def create() -> None:
        await backend.create(priority="urgent")

    async def miss() -> None:
        shown(await backend.request("GET", f"/api/v1/tasks/{missing_task}"), 404)
        shown(await backend.request("GET", f"/not/a/path/{missing_task}"), 404)

    async with anyio.create_task_group() as group:
        for _ in range(DELAYS):
            group.start_soon(delay)
        for _ in range(TASKS):
            group.start_soon(create)
        group.start_soon(miss)


async def _scraped(prometheus: PrometheusMetrics, selector: str) -> None:
    """Return once every pod of the backend was scraped after now, by the clock of Prometheus."""
    now = await number(prometheus, "time()")

    async def scraped_since() -> None:
        # Of a comparison's result, timestamp() would be the time of the query and not of the scrape.
        at = await prometheus.instant(f"timestamp(up{{{selector}}}) and up{{{selector}}} == 1")
        assert at, f"Prometheus has no target with {selector} that is up"
        oldest = min(series.points[0][1] for series in at)
        assert oldest > now, f"the last scrape of {selector} was {now - oldest:.1f} s before"

    await eventually(scraped_since, within=SCRAPED_WITHIN)


async def _counts(prometheus: PrometheusMetrics, selector: str) -> dict[str, float]:
    counts: dict[str, float] = {}

    async def count(name: str, series: str) -> None:
        counts[name] = await number(prometheus, f"sum({series})")

    async with anyio.create_task_group() as group:
        for name, series in queries(selector).items():
            group.start_soon(count, name, series)
    return counts

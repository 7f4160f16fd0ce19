"""Log spikes of lines that a real Loki was given, with the configuration of the chart."""

import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from tests.charts.rendering import Helm
from tests.contract.loki.conftest import charted
from tests.contract.programs import until
from tests.unit.incident.witnesses import witnesses

from sluice.adapters.loki.client import LokiLogs
from sluice.incident.model import Incident
from sluice.incident.window import Window
from sluice.masking import masker
from sluice.steps.collect_incident import collect_incident

pytestmark = pytest.mark.anyio
MINUTE = 60.0


@pytest.fixture(scope="module")
def address(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with charted(helm, tmp_path_factory.mktemp("loki")).run() as url:
        yield url


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as one:
        yield one


async def push(client: httpx.AsyncClient, labels: dict[str, str], times: list[float], text: str) -> None:
    stream = {"namespace": "tasks", "container": "main"} | labels
    values = [[str(int(at * 1e9)), text] for at in times]
    response = await client.post("/loki/api/v1/push", json={"streams": [{"stream": stream, "values": values}]})
    assert response.status_code == 204, response.text


async def asked(client: httpx.AsyncClient, when: Window) -> Incident:
    ask = witnesses(logs=LokiLogs(client))
    return await collect_incident(ask, when, of="gke", namespace="tasks", now=when.end, mask=masker())


async def test_a_burst_is_a_spike_and_what_is_steady_is_none(client: httpx.AsyncClient) -> None:
    end = time.time() // MINUTE * MINUTE - MINUTE
    when = Window(end - 20 * MINUTE, end)
    hour_and_more = [when.start - 3600 + 5 + 6 * number for number in range(13 * 60)]  # ten a minute, to the end
    await push(client, {"service": "sync", "level": "WARNING"}, hour_and_more, '{"message": "slow"}')
    burst = [when.start + 5 * MINUTE + 1 + number for number in range(40)]
    await push(client, {"service": "backend", "level": "ERROR"}, burst, '{"message": "no way, password=abc123"}')
    few = [when.start + 60 * number + 1 for number in range(4)]
    await push(client, {"service": "audit", "level": "ERROR"}, few, '{"message": "once"}')

    async def there() -> bool:
        return bool((await asked(client, when)).timeline)

    await until(there)
    found = await asked(client, when)
    (one,) = found.timeline
    assert (one.kind, one.where, one.at) == ("log spike", "tasks/backend/main", when.start + 5 * MINUTE)
    assert one.until == when.start + 6 * MINUTE
    assert one.what.startswith("40 lines of level ERROR, up to 40 a minute; 0 a minute")
    assert one.more == "40 × ERROR backend: no way, password=***"
    assert "the hour before, to compare logs with" not in [missing.what for missing in found.missing]


async def test_a_time_before_any_line_is_told_to_have_nothing_to_compare_with(client: httpx.AsyncClient) -> None:
    now = time.time()
    found = await asked(client, Window(now - 30 * 3600, now - 29 * 3600))
    assert "the hour before, to compare logs with" in [missing.what for missing in found.missing]

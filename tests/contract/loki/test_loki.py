"""adapters/loki against a real Loki that was given lines of ours."""

import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from tests.contract.programs import answers, free_ports, program, running

from sluice.adapters.loki.client import LokiLogs
from sluice.errors import EvidenceError

pytestmark = pytest.mark.anyio

CONFIG = """
auth_enabled: false
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {http}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  replication_factor: 1
  ring: {{instance_addr: 127.0.0.1, kvstore: {{store: inmemory}}}}
  storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}
ingester: {{lifecycler: {{min_ready_duration: 0s}}}}
schema_config:
  configs:
    - from: "2024-01-01"
      store: tsdb
      object_store: filesystem
      schema: v13
      index: {{prefix: index_, period: 24h}}
limits_config: {{max_entries_limit_per_query: 10}}
analytics: {{reporting_enabled: false}}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("loki")
    http, grpc = free_ports(2)
    (folder / "loki.yaml").write_text(CONFIG.format(folder=folder, http=http, grpc=grpc), encoding="utf-8")
    argv: list[str | Path] = [program("loki"), f"-config.file={folder / 'loki.yaml'}"]
    url = f"http://127.0.0.1:{http}"
    with running(argv, ready=answers(f"{url}/ready"), log=folder / "loki.log"):
        yield url


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as one:
        yield one


@pytest.fixture
def service() -> str:
    """A label that only this test's lines have."""
    return f"service-{uuid.uuid4().hex[:8]}"


async def push(client: httpx.AsyncClient, service: str, level: str, lines: list[tuple[float, str]]) -> None:
    values = [[str(int(at * 1e9)), text] for at, text in lines]
    stream = {"stream": {"service": service, "level": level}, "values": values}
    response = await client.post("/loki/api/v1/push", json={"streams": [stream]})
    assert response.status_code == 204, response.text


async def test_lines_come_back_in_order_with_what_the_parser_extracts(client: httpx.AsyncClient, service: str) -> None:
    now = time.time()
    texts = [json.dumps({"request_id": f"r-{n}", "user_id": "me", "message": f"line {n}"}) for n in range(4)]
    await push(client, service, "INFO", [(now - 4, texts[0]), (now - 2, texts[2])])
    await push(client, service, "ERROR", [(now - 3, texts[1]), (now - 1, texts[3])])

    loki, start, end = LokiLogs(client, page=10), now - 60, now + 60
    lines = await loki.lines(f'{{service="{service}"}}', start=start, end=end)
    assert [line.text for line in lines] == texts
    assert [line.labels["level"] for line in lines] == ["INFO", "ERROR", "INFO", "ERROR"]
    assert lines[0].at == pytest.approx(now - 4, abs=0.001)

    found = await loki.lines(f'{{service="{service}"}} | json | request_id="r-2"', start=start, end=end)
    assert [(line.labels["user_id"], line.labels["message"]) for line in found] == [("me", "line 2")]
    found = await loki.lines(f'{{service="{service}", level="ERROR"}} |= "line 3"', start=start, end=end)
    assert [line.text for line in found] == [texts[3]]
    assert await loki.lines(f'{{service="{service}"}}', start=now - 60, end=now - 5) == ()


async def test_it_tells_its_labels_and_its_configuration(client: httpx.AsyncClient, service: str) -> None:
    await push(client, service, "INFO", [(time.time(), "a line")])
    loki = LokiLogs(client)
    assert {"service", "level"} <= await loki.labels()
    config = await loki.config()
    assert config["limits_config"]["max_entries_limit_per_query"] == 10
    assert config["common"]["replication_factor"] == 1
    assert config["compactor"]["retention_enabled"] is False, "a default, which nobody wrote"
    assert "retention_period" in config["limits_config"]


async def test_more_lines_than_loki_gives_at_once_are_all_read(client: httpx.AsyncClient, service: str) -> None:
    now = time.time()
    lines = [(now - 50 + number // 2, f"line {number}") for number in range(35)]  # two lines each second
    await push(client, service, "INFO", lines)
    read = await LokiLogs(client, page=10).lines(f'{{service="{service}"}}', start=now - 60, end=now)
    assert sorted(line.text for line in read) == sorted(text for _, text in lines)


async def test_lines_are_counted_at_a_time_and_over_a_window(client: httpx.AsyncClient, service: str) -> None:
    now = time.time()
    await push(client, service, "ERROR", [(now - 3, "one"), (now - 2, "two")])
    loki, query = LokiLogs(client), f'sum by (level) (count_over_time({{service="{service}"}}[1m]))'
    series = await loki.instant(query, at=now)
    assert [(one.labels, one.points[0][1]) for one in series] == [({"level": "ERROR"}, 2.0)]
    points = (await loki.range(query, start=now - 1, end=now, step=1))[0].points
    # Loki moves the window's ends to whole steps.
    assert len(points) in (2, 3)
    assert {value for _, value in points} == {2.0}
    assert await loki.instant(query.replace(service, "nobody"), at=now) == ()


@pytest.mark.parametrize(
    ("query", "seen"),
    [("{service=", "parse error"), ('{service=~".*"}', "at least one"), ('rate({a="b"}', "parse error")],
)
async def test_a_query_that_is_refused_is_an_evidence_error(client: httpx.AsyncClient, query: str, seen: str) -> None:
    with pytest.raises(EvidenceError) as raised:
        await LokiLogs(client).lines(query, start=time.time() - 60, end=time.time())
    assert query in raised.value.failed
    assert raised.value.seen.startswith("400: ")
    assert seen in raised.value.seen


async def test_a_log_query_has_no_number_and_a_number_no_lines(client: httpx.AsyncClient, service: str) -> None:
    now = time.time()
    await push(client, service, "INFO", [(now - 1, "one")])
    loki = LokiLogs(client)
    with pytest.raises(EvidenceError):
        await loki.instant(f'{{service="{service}"}}', at=now)
    with pytest.raises(EvidenceError, match="no log lines"):
        await loki.lines(f'count_over_time({{service="{service}"}}[1m])', start=now - 60, end=now)

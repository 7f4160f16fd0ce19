"""The rules of helm/logging in a real Loki: each fires on the lines that its tests tell, and keeps quiet on others."""

import json
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from tests.charts.rendering import Helm
from tests.contract.loki.conftest import charted
from tests.contract.programs import until
from tests.rules.log_rules import LogCase, log_alerts, log_cases

from sluice.adapters.loki.client import LokiLogs

pytestmark = pytest.mark.anyio

ALERTS = {alert.name: alert for alert in log_alerts()}
CASES = log_cases()
# Each case has hours of its own, all within the retention: the oldest first, since Loki takes no line that is much
# older than the newest of its stream.
SPACING_SECONDS = 3 * 3600
_PUSHED_BYTES = 2_000_000


@dataclass(frozen=True)
class Receiver:
    """Stands for Alertmanager: what it was sent."""

    url: str
    alerts: list[dict[str, Any]]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/api/v2/alerts":
                got.extend(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Receiver(f"http://127.0.0.1:{server.server_port}", got)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def address(helm: Helm, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    words = ("alertmanagerUrl=" + receiver.url, "evaluationInterval=1s", "grafanaBaseUrl=https://grafana.example.org/")
    arguments = [word for value in words for word in ("--set", f"loki.ruler.{value}")]
    # Lines of days ago are looked for in what is still in memory; a cluster looks there for those of some three hours.
    changes = {
        "ingester": {"query_store_max_look_back_period": "240h"},
        "limits_config": {"ingestion_rate_mb": 500, "ingestion_burst_size_mb": 500, "per_stream_rate_limit": "500MB",
                          "per_stream_rate_limit_burst": "500MB"},
    }  # fmt: skip
    with charted(helm, tmp_path_factory.mktemp("loki"), *arguments, changes=changes).run() as url:
        yield url


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as one:
        yield one


async def push(client: httpx.AsyncClient, stream: dict[str, str], lines: list[tuple[float, str]]) -> None:
    labels = {"namespace": "default", "pod": "a-pod", "container": "main"} | stream
    while lines:
        count = max(1, _PUSHED_BYTES // len(lines[0][1]))
        values = [[str(int(at * 1e9)), text] for at, text in lines[:count]]
        response = await client.post("/loki/api/v1/push", json={"streams": [{"stream": labels, "values": values}]})
        assert response.status_code == 204, response.text
        lines = lines[count:]


def lines_of(line: dict[str, Any], at: float) -> list[tuple[float, str]]:
    """The lines of one entry of a case, spread over its seconds."""
    (first, last), count = line["ago"], int(line["count"])
    step = (first - last) / max(count - 1, 1)
    text = line.get("text") or random.Random(1).randbytes(line["size"] // 2).hex()
    return [(at - first + number * step, text) for number in range(count)]


@pytest.mark.parametrize(
    ("number", "case"), list(enumerate(CASES)), ids=[f"{case.alert}-{len(case.fires)}" for case in CASES]
)
async def test_an_alert_fires_on_its_lines_and_on_no_others(
    client: httpx.AsyncClient, number: int, case: LogCase
) -> None:
    at = time.time() - (len(CASES) - number) * SPACING_SECONDS
    for line in case.lines:
        await push(client, line["stream"], lines_of(line, at))
    found = await LokiLogs(client).instant(ALERTS[case.alert].rule["expr"], at=at)
    assert sorted((series.labels for series in found), key=str) == sorted(case.fires, key=str)


async def test_loki_loads_every_rule(client: httpx.AsyncClient) -> None:
    groups = (await client.get("/prometheus/api/v1/rules")).json()["data"]["groups"]
    assert {rule["name"] for group in groups for rule in group["rules"]} == set(ALERTS)


async def test_what_fires_reaches_alertmanager(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await push(client, {"service": "leaking", "level": "INFO"}, [(time.time(), "token [masked:jwt]")])

    async def told() -> bool:
        return any(alert["labels"].get("service") == "leaking" for alert in receiver.alerts)

    await until(told)
    alert = next(alert for alert in receiver.alerts if alert["labels"].get("service") == "leaking")
    rule = ALERTS["SecretInLogs"].rule
    assert (
        alert["labels"] == {"alertname": "SecretInLogs", "namespace": "default", "service": "leaking"} | rule["labels"]
    )
    assert alert["annotations"]["description"].startswith("1 lines of default/leaking ")
    address = "https://grafana.example.org/d/application-logs?var-namespace=default&var-service=leaking"
    assert alert["annotations"]["dashboard_url"] == address


async def test_a_rule_with_a_typo_is_not_loaded(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The check of the loading would see it."""
    loki = charted(helm, tmp_path_factory.mktemp("loki"))
    file = loki.folder / "rules" / "fake" / "logs-services.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("count_over_time", "count_over_tine"), encoding="utf-8")
    with loki.run() as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert "ServiceLogsErrors" not in (await client.get("/prometheus/api/v1/rules")).text

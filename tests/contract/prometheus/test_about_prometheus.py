"""What a real Prometheus says of itself, also when it is started again in the middle of a window."""

import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.contract.programs import answers, free_ports, program, running, until

from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.domain import Monitoring
from sluice.steps.monitoring_facts import about_prometheus

pytestmark = pytest.mark.anyio

COARSE = 1.5  # seconds: a process knows its start by the kernel's boot time, which is told in whole ones
CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 150ms}}
scrape_configs:
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@dataclass
class Server:
    """A Prometheus that is started as often as a test likes, always on the same port and data."""

    folder: Path
    port: int

    def run(self) -> AbstractContextManager[object]:
        argv: list[str | Path] = [
            program("prometheus"),
            f"--config.file={self.folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        return running(argv, ready=answers(f"{self.url}/-/ready"), log=self.folder / "prometheus.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[PrometheusMetrics]:
        """Its queries, once it has scraped itself since it was started."""
        began = time.time()
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            metrics = PrometheusMetrics(client)

            async def scraped() -> bool:
                found = await metrics.instant("max(timestamp(prometheus_build_info))")
                return bool(found) and found[0].points[0][1] > began

            await until(scraped)
            yield metrics


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (port,) = free_ports(1)
    (tmp_path / "prometheus.yaml").write_text(CONFIG.format(port=port), encoding="utf-8")
    yield Server(tmp_path, port)
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


async def facts(metrics: PrometheusMetrics, started: float) -> Monitoring:
    found = await about_prometheus(metrics, started, time.time(), deadline_seconds=20)
    assert found.error == ""
    return found


async def test_one_that_runs_all_the_time_is_known_since_its_start_without_a_gap(server: Server) -> None:
    before = time.time()
    with server.run():
        async with server.asked() as metrics:
            found = await facts(metrics, time.time() - 0.5)
    (start,) = found.starts
    assert before - COARSE <= start <= found.window_started
    assert abs(found.clock_skew_seconds) <= found.clock_error_seconds + 0.05, "the same clock"


async def test_one_that_was_started_again_has_two_starts_and_what_was_before(server: Server) -> None:
    with server.run():
        async with server.asked() as metrics:
            began = time.time()
    with server.run():
        async with server.asked() as metrics:
            found = await facts(metrics, began)
    assert len(found.starts) == 2
    assert found.starts[0] < began
    assert began - COARSE < found.starts[1] < found.window_ended
    assert found.longest_gap_seconds < found.window_ended - found.window_started, "there are scrapes in it"


async def test_one_that_lost_its_data_knows_only_its_new_start_and_has_a_gap(server: Server) -> None:
    with server.run():
        async with server.asked():
            began = time.time() - 60
    shutil.rmtree(server.folder / "data")
    with server.run():
        async with server.asked() as metrics:
            found = await facts(metrics, began)
    (start,) = found.starts
    assert began < start
    assert found.longest_gap_seconds >= 55

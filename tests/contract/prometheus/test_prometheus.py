"""adapters/prometheus against a real Prometheus that scrapes itself and evaluates rules of ours."""

import time
from collections.abc import AsyncIterator, Iterator
from math import inf, isnan
from pathlib import Path

import httpx
import pytest
from tests.contract.programs import answers, free_ports, program, running, until

from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.errors import EvidenceError

pytestmark = pytest.mark.anyio

CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 150ms, evaluation_interval: 200ms}}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: prometheus
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: nobody
    static_configs: [{{targets: ["127.0.0.1:{closed}"]}}]
"""
RULES = """
groups:
  - name: ours
    rules:
      - {record: "instance:up", expr: "up"}
      - {alert: Watchdog, expr: "vector(1)"}
      - {record: "many:to_many", expr: "up * on () up"}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    port, closed = free_ports(2)
    (folder / "prometheus.yaml").write_text(CONFIG.format(port=port, closed=closed), encoding="utf-8")
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    argv: list[str | Path] = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=7d",
        "--storage.tsdb.retention.size=2GB",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(argv, ready=answers(f"{url}/-/ready"), log=folder / "prometheus.log"):
        yield url


@pytest.fixture
async def prometheus(address: str) -> AsyncIterator[PrometheusMetrics]:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        yield PrometheusMetrics(client)


async def test_what_it_scraped_is_counted(prometheus: PrometheusMetrics) -> None:
    async def scraped_often() -> bool:
        series = await prometheus.instant('count_over_time(up{job="prometheus"}[1m])')
        return bool(series) and series[0].points[0][1] >= 5

    await until(scraped_often)
    now = time.time()
    series = await prometheus.instant('up{job="prometheus"}', at=now)
    assert [(one.labels["job"], one.points[0][1]) for one in series] == [("prometheus", 1.0)]
    assert series[0].points[0][0] == pytest.approx(now, abs=0.001)
    points = (await prometheus.range("vector(7)", start=now - 10, end=now, step=2.5))[0].points
    assert [value for _, value in points] == [7.0] * 5
    assert points[0][0] == pytest.approx(now - 10, abs=0.01)


async def test_it_tells_how_long_it_keeps(prometheus: PrometheusMetrics) -> None:
    assert await prometheus.retention() == "1w or 2GiB"


async def test_nan_and_infinity_are_floats_and_no_series_is_none(prometheus: PrometheusMetrics) -> None:
    async def value(query: str) -> float:
        return (await prometheus.instant(query))[0].points[0][1]

    assert isnan(await value("vector(0) / vector(0)"))
    assert await value("vector(1) / vector(0)") == inf
    assert await value("-1 / 0") == -inf
    assert await prometheus.instant("no_such_metric") == ()


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("sum(", "bad_data: "),
        ("up * on () up", "execution: "),
        ("no_such_function(up)", "bad_data: "),
        ("up[5m]", "a range vector"),
        ('"text"', "a result of type string"),
    ],
)
async def test_a_query_that_cannot_be_measured_is_an_evidence_error(
    prometheus: PrometheusMetrics, query: str, seen: str
) -> None:
    async def scraped_both() -> bool:
        return len(await prometheus.instant("up")) == 2

    await until(scraped_both)  # two series are needed for many-to-many
    with pytest.raises(EvidenceError) as raised:
        await prometheus.instant(query)
    assert query in raised.value.failed
    assert seen in raised.value.seen


async def test_targets_say_which_is_down_and_why(prometheus: PrometheusMetrics) -> None:
    async def scraped() -> bool:
        return "unknown" not in {target.health for target in await prometheus.targets()}

    await until(scraped)
    targets = {target.pool: target for target in await prometheus.targets()}
    assert targets["prometheus"].health == "up"
    assert targets["nobody"].health == "down"
    assert "refused" in targets["nobody"].error


async def test_rules_say_which_is_broken_and_why(prometheus: PrometheusMetrics) -> None:
    async def told_apart() -> bool:
        health = {rule.name: rule.health for rule in await prometheus.rules()}
        return health == {"instance:up": "ok", "Watchdog": "ok", "many:to_many": "err"}

    await until(told_apart)
    rules = {rule.name: rule for rule in await prometheus.rules()}
    assert (rules["Watchdog"].kind, rules["instance:up"].kind) == ("alerting", "recording")
    assert "many-to-many" in rules["many:to_many"].error


async def test_a_server_that_is_gone_is_an_evidence_error() -> None:
    (port,) = free_ports(1)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        with pytest.raises(EvidenceError, match="ConnectError"):
            await PrometheusMetrics(client).instant("up")

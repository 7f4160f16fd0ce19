"""What the chart's compactor keeps and deletes, in a real Loki: the line, its chunk, and nothing younger."""

import shutil
import time
from pathlib import Path

import httpx
import pytest
from tests.charts.rendering import Helm
from tests.contract.loki.conftest import ChartedLoki, charted
from tests.contract.programs import until

from sluice.adapters.loki.client import LokiLogs

pytestmark = pytest.mark.anyio

HOUR = 3600.0
OLD, YOUNG = 80 * HOUR, 60 * HOUR  # the local retention is 72 h
SHORT = ("--set", "loki.compactor.interval=2s", "--set", "loki.compactor.deleteDelay=1s")


def loki_of(helm: Helm, folder: Path, *arguments: str) -> ChartedLoki:
    """A folder of its own for each test."""
    folder.mkdir()
    return charted(helm, folder, *SHORT, *arguments)


# A machine that is at something else too gives no answer within the usual five seconds.
_ANSWER_SECONDS = 60


async def found(url: str, now: float) -> list[str]:
    """What can be found of the two lines."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=_ANSWER_SECONDS) as client:
        lines = await LokiLogs(client).lines('{service="aging"}', start=now - 100 * HOUR, end=now)
    return [line.text for line in lines]


async def write(url: str, now: float) -> None:
    """Write one line older than the retention, and one that is not, each into a stream of its own."""
    streams = [
        {"stream": {"service": "aging", "pod": name}, "values": [[str(int((now - age) * 1e9)), name]]}
        for name, age in (("old", OLD), ("young", YOUNG))
    ]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        response = await client.post("/loki/api/v1/push", json={"streams": streams})
    assert response.status_code == 204, response.text


def leave_the_storage_only(loki: ChartedLoki) -> None:
    """As it is hours later: the index is in the storage, and no copy of the process' own answers in its place."""
    shutil.rmtree(loki.folder / "data" / "tsdb-shipper-active")


def chunks(loki: ChartedLoki) -> int:
    """How many chunks of the tenant the storage has."""
    return sum(1 for path in (loki.folder / "data" / "chunks" / "fake").rglob("*") if path.is_file())


async def retention_applied(url: str) -> None:
    """Wait until the compactor has been through what was written, whatever it made of it."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:

        async def applied() -> bool:
            metrics = (await client.get("/metrics")).text
            return 'loki_compactor_apply_retention_operation_total{status="success"}' in metrics

        await until(applied, within=40)


async def test_what_is_older_than_the_retention_is_deleted_and_nothing_else(helm: Helm, tmp_path: Path) -> None:
    loki, now = loki_of(helm, tmp_path / "loki"), time.time()
    with loki.run() as url:
        await write(url, now)
    assert chunks(loki) == 2  # what was in memory was written at the end
    leave_the_storage_only(loki)
    with loki.run() as url:
        assert await found(url, now) == ["old", "young"]
        await retention_applied(url)

    async def one_chunk() -> bool:
        return chunks(loki) == 1

    # A process keeps a day's list of index files for a minute, so one that is started again is asked, and what is
    # marked is deleted at the start.
    with loki.run() as url:
        assert await found(url, now) == ["young"]
        await until(one_chunk, within=40)
        assert await found(url, now) == ["young"]


async def test_a_longer_retention_keeps_it(helm: Helm, tmp_path: Path) -> None:
    """The check above sees the retention at work, and not a line that Loki would not have taken."""
    loki, now = loki_of(helm, tmp_path / "loki", "--set", "loki.retention=720h"), time.time()
    with loki.run() as url:
        await write(url, now)
    leave_the_storage_only(loki)
    with loki.run() as url:
        await retention_applied(url)
        assert await found(url, now) == ["old", "young"]

"""The chart's Loki gives as many lines as its limit says, long ones too: there an error is needed most."""

import time
from pathlib import Path

import httpx
import pytest
from tests.charts.rendering import Helm
from tests.contract.loki.conftest import charted

from sluice.adapters.loki.client import LokiLogs

pytestmark = pytest.mark.anyio

LINES, LENGTH = 200, 30_000  # as long as a traceback with its locals: 6 MB in all


async def test_many_long_lines_are_one_answer(helm: Helm, tmp_path: Path) -> None:
    now = time.time()
    with charted(helm, tmp_path).run() as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
            for first in range(0, LINES, 40):
                values = [
                    [str(int((now - LINES + number) * 1e9)), f"{number} ".ljust(LENGTH, "x")]
                    for number in range(first, first + 40)
                ]
                streams = [{"stream": {"service": "wordy"}, "values": values}]
                (await client.post("/loki/api/v1/push", json={"streams": streams})).raise_for_status()
            found = await LokiLogs(client).lines('{service="wordy"}', start=now - LINES - 1, end=now + 1, limit=LINES)
    assert [int(line.text.split()[0]) for line in found] == list(range(LINES))

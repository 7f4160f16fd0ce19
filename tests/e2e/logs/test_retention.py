"""What is older than the retention is deleted, and a restart of Loki loses nothing.

Loki takes lines of up to a week ago; the chart keeps them for 72 hours. One line of 80 hours ago is written, and one of
60. Both can be found once Loki has started anew and has them in its storage; minutes later, when the compactor has been
there and Loki's own copy of the index has aged, only the younger one can.
"""

import time

import httpx
import pytest
from tests.e2e.kube import Kube, is_ready
from tests.e2e.support import eventually

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.loki.client import LokiLogs
from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

HOUR = 3600.0
OLD, YOUNG = 80 * HOUR, 60 * HOUR
# A minute until the index is uploaded, seconds until it is compacted, and two more until Loki drops its own copy.
DELETED_WITHIN = 300.0


def mark(context: SuiteContext) -> str:
    """What both lines are found by: the run's own, since the second test is in another process than the first."""
    return f"aging-{context.run_id}"


async def texts(loki: LokiLogs, context: SuiteContext) -> list[str]:
    """Which of the two lines can be found, each once: run again, the first test writes them again."""
    now = time.time()
    found = await loki.lines(f'{{service="{mark(context)}"}}', start=now - 100 * HOUR, end=now)
    return sorted({line.text for line in found})


async def write(loki_http: ServiceProxy, context: SuiteContext) -> None:
    now = time.time()
    streams = [
        {
            "stream": {"namespace": "default", "service": mark(context), "pod": name},
            "values": [[str(int((now - age) * 1e9)), name]],
        }
        for name, age in (("old", OLD), ("young", YOUNG))
    ]
    response = await loki_http.request("POST", "/loki/api/v1/push", json={"streams": streams})
    assert response.status_code == 204, response.text


async def restart(api_server: httpx.AsyncClient, namespace: str) -> None:
    """Delete Loki's pod, as an eviction does, and wait for the next one."""
    path = f"api/v1/namespaces/{namespace}/pods/loki-0"
    before = (await api_server.get(path)).json()["metadata"]["uid"]
    assert (await api_server.delete(path)).is_success

    async def anew() -> None:
        response = await api_server.get(path)
        assert response.is_success, response.text
        pod = response.json()
        assert pod["metadata"]["uid"] != before, "the old pod is still there"
        assert is_ready(pod), "the new pod is not ready"

    await eventually(anew, within=120)


async def test_after_a_restart_everything_is_found(
    loki: LokiLogs, loki_http: ServiceProxy, api_server: httpx.AsyncClient, context: SuiteContext, kube: Kube
) -> None:
    await write(loki_http, context)
    await restart(api_server, context.loki.namespace)

    async def both() -> None:
        assert await texts(loki, context) == ["old", "young"]

    await eventually(both, within=30)


@pytest.mark.last
@pytest.mark.once  # by itself it would look for lines that nobody wrote
async def test_what_is_older_than_the_retention_is_gone(loki: LokiLogs, context: SuiteContext) -> None:
    async def only_the_young() -> None:
        assert await texts(loki, context) == ["young"]

    await eventually(only_the_young, within=DELETED_WITHIN, every=2)

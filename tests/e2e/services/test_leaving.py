"""A pod that goes finishes what it began, and one whose database is away says that it is not ready."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import anyio
import httpx
import pytest
from tests.e2e.kube import Kube
from tests.e2e.support import Backend, Clients, eventually, shown

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.prometheus.client import PrometheusMetrics

# Both take something away that others need.
pytestmark = [pytest.mark.anyio, pytest.mark.disturbing]

PORT = 8000
# The longest delay that there is: longer than what passes between the pod's being told to go and its SIGTERM.
LONG, SHORT = "5", "0.2"
BACK_WITHIN = 90.0
AWAY_WITHIN = 60.0
SEEN_FOR = "20s"  # by every scrape of that time


async def test_a_request_that_is_under_way_when_its_pod_is_told_to_go_is_answered(backend: Backend, kube: Kube) -> None:
    async with one_pod_more(kube, "backend") as pod:
        leaving = replace(backend, proxy=of_pod(kube, pod))
        answers: list[httpx.Response] = []

        async def ask(seconds: str) -> None:
            answers.append(await leaving.request("POST", "/faults/delay", params={"seconds": seconds}))

        async with anyio.create_task_group() as group:
            group.start_soon(ask, LONG)
            # They are sent together: when this one is answered, the long one is being served.
            await ask(SHORT)
            await kube.delete(pod)
    assert [shown(answer, 200) for answer in answers] == [{"seconds": float(SHORT)}, {"seconds": float(LONG)}]


async def test_a_service_is_ready_only_while_its_database_answers(
    clients: Clients, kube: Kube, prometheus: PrometheusMetrics
) -> None:
    pods = {service: await kube.one_pod(service) for service in clients.proxies}
    for service, pod in list(pods.items()):
        checks = (await of_pod(kube, pod).get("/readyz")).json()["checks"]
        if "database" not in checks:  # it has none
            del pods[service]
    assert "backend" in pods

    async def all_say(status: int) -> None:
        for service, pod in pods.items():
            answer = await of_pod(kube, pod).get("/readyz")
            assert answer.status_code == status, f"{service} answers {answer.status_code} {answer.text[:200]}"

    await all_say(200)
    async with kube.without("postgresql"):
        await eventually(partial(all_say, 503), within=AWAY_WITHIN)
    await eventually(partial(all_say, 200), within=BACK_WITHIN)

    async def all_seen() -> None:
        """The database's exporter too: an attempt to connect that began while it was away can take 30 s to fail."""
        down = await prometheus.instant(f'min_over_time(up{{namespace="{kube.namespace}"}}[{SEEN_FOR}]) == 0')
        assert not down, f"not scraped: {sorted(str(one.labels.get('pod')) for one in down)}"

    await eventually(all_seen, within=BACK_WITHIN, every=1)


@asynccontextmanager
async def one_pod_more(kube: Kube, service: str) -> AsyncIterator[str]:
    """A pod that the service has for the time of the block beside those that it needs; gives its name."""
    # Its autoscaler takes away what somebody else adds: it has to want the pod itself.
    path = f"apis/autoscaling/v2/namespaces/{kube.namespace}/horizontalpodautoscalers/{service}"
    least = int((await kube.get(path))["spec"]["minReplicas"])
    known = {pod["metadata"]["name"] for pod in await kube.pods(service)}

    async def more() -> str:
        new = [
            pod["metadata"]["name"] for pod in await kube.ready_pods(service) if pod["metadata"]["name"] not in known
        ]
        assert new, f"{service} has no other pod that is ready than {sorted(known)}"
        return str(new[0])

    await kube.patch(path, {"spec": {"minReplicas": len(known) + 1}})
    try:
        yield await eventually(more, within=BACK_WITHIN)
    finally:
        await kube.patch(path, {"spec": {"minReplicas": least}})


def of_pod(kube: Kube, pod: str) -> ServiceProxy:
    return ServiceProxy(kube.client, kube.namespace, pod, PORT, kind="pods")

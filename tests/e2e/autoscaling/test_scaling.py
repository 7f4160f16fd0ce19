"""Load makes the autoscaler add pods, and a disruption budget lets them go one by one only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from tests.e2e.autoscaling.metrics_api import assert_answers
from tests.e2e.kube import Kube
from tests.e2e.support import Backend, eventually

from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

# metrics-server asks every 15 s, the autoscaler looks every 15 s, a pod takes some seconds to be ready.
SCALED_WITHIN = 90.0
METRICS_WITHIN = 60.0
REPLACED_WITHIN = 60.0
BURST_SECONDS = 4.0


async def test_load_makes_the_autoscaler_add_pods(backend: Backend, kube: Kube) -> None:
    service = "backend"
    spec = (await autoscalers(kube))[service]["spec"]
    least = spec["minReplicas"]
    assert spec["maxReplicas"] > least

    async def settled() -> None:
        await assert_answers(kube)
        status = (await autoscalers(kube))[service]["status"]
        active = {one["type"]: one for one in status.get("conditions", [])}.get("ScalingActive", {})
        assert active.get("status") == "True", f"the autoscaler does not know the load: {active.get('message')}"
        pods = await kube.pods(service)
        if len(pods) != least:  # what an earlier test, or an earlier run on a kept cluster, made it add
            await kube.scale(service, least)
        assert len(pods) == least, f"{len(pods)} pods instead of {least}"

    await eventually(settled, within=METRICS_WITHIN, every=1)

    async def scaled() -> None:
        status = (await autoscalers(kube))[service]["status"]
        assert status["desiredReplicas"] > least, f"the autoscaler wants {status['desiredReplicas']} pods: {status}"
        ready = (await kube.scaled(service))["status"].get("readyReplicas", 0)
        assert ready > least, f"{ready} pods are ready, {status['desiredReplicas']} are wanted"

    try:
        async with load(backend):
            await eventually(scaled, within=SCALED_WITHIN, every=1)
    finally:
        with anyio.CancelScope(shield=True):
            await kube.scale(service, least)


async def test_a_disruption_budget_lets_pods_go_one_by_one(kube: Kube, context: SuiteContext) -> None:
    found = await autoscalers(kube)
    several = [name for name in context.services if name in found and found[name]["spec"]["minReplicas"] > 1]
    assert several, "no service has more than one pod to begin with"
    service = min(several)

    async def all_ready() -> list[str]:
        wanted = (await kube.scaled(service))["spec"]["replicas"]
        ready = [pod["metadata"]["name"] for pod in await kube.ready_pods(service)]
        assert len(ready) == wanted >= 2, f"{len(ready)} of {wanted} pods of {service} are ready"
        path = f"apis/policy/v1/namespaces/{kube.namespace}/poddisruptionbudgets/{service}"
        allowed = (await kube.get(path))["status"]["disruptionsAllowed"]
        assert allowed >= 1, f"the budget of {service} allows {allowed} disruptions"
        return ready

    first, *others = await eventually(all_ready, within=REPLACED_WITHIN)
    assert (await kube.evict(first)).status_code == 201
    for other in others:
        refused = await kube.evict(other)
        assert refused.status_code == 429, f"{other} was let go right after {first}: {refused.text}"
        assert "disruption budget" in refused.text

    async def let_go() -> None:
        answer = await kube.evict(others[0])
        assert answer.status_code == 201, f"{answer.status_code}: {answer.text}"
        # It was let go because another had become ready: there was never a moment without one.
        ready = [pod["metadata"]["name"] for pod in await kube.ready_pods(service)]
        assert set(ready) - {first, others[0]}, f"none but those that go is ready: {ready}"

    await eventually(let_go, within=REPLACED_WITHIN, every=0.5)
    await eventually(all_ready, within=REPLACED_WITHIN)


@asynccontextmanager
async def load(backend: Backend) -> AsyncIterator[None]:
    """Keep a core of the backend's pods busy while the block runs, and a little longer."""

    async def burn() -> None:
        while True:
            burst = {"seconds": str(BURST_SECONDS)}
            response = await backend.request("POST", "/faults/cpu", params=burst)
            assert response.status_code == 202, (
                f"{response.status_code} {response.text}: the backend needs faults.enabled in its chart's values"
            )
            await anyio.sleep(BURST_SECONDS / 2)

    async with anyio.create_task_group() as group:
        group.start_soon(burn)
        yield
        group.cancel_scope.cancel()


async def autoscalers(kube: Kube) -> dict[str, dict[str, Any]]:
    """The HorizontalPodAutoscalers by name."""
    found = await kube.get(f"apis/autoscaling/v2/namespaces/{kube.namespace}/horizontalpodautoscalers")
    return {one["metadata"]["name"]: one for one in found["items"]}

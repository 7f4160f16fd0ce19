"""Autoscalers: what they go by, whether they know it, and how many pods they want."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.autoscaling.metrics_api import CUSTOM_METRICS, RESOURCE_METRICS, assert_answers
from tests.e2e.kube import Kube


async def autoscalers(kube: Kube) -> dict[str, dict[str, Any]]:
    """The HorizontalPodAutoscalers by name."""
    found = await kube.get(f"apis/autoscaling/v2/namespaces/{kube.namespace}/horizontalpodautoscalers")
    return {one["metadata"]["name"]: one for one in found["items"]}


@dataclass(frozen=True)
class Scaled:
    """A service whose autoscaler is looked at; `metric` is what it is to go by: `ContainerResource` or `Pods`."""

    kube: Kube
    service: str
    metric: str

    async def least(self) -> int:
        """How many pods it has without any load."""
        spec = (await autoscalers(self.kube))[self.service]["spec"]
        assert spec["maxReplicas"] > spec["minReplicas"]
        return int(spec["minReplicas"])

    async def settled(self) -> None:
        """Fail unless the autoscaler knows the load, and there are no more pods than it needs without."""
        await assert_answers(self.kube, CUSTOM_METRICS if self.metric == "Pods" else RESOURCE_METRICS)
        found = (await autoscalers(self.kube))[self.service]
        least, status = found["spec"]["minReplicas"], found["status"]
        active = {one["type"]: one for one in status.get("conditions", [])}.get("ScalingActive", {})
        assert active.get("status") == "True", f"the autoscaler does not know the load: {active.get('message')}"
        known = [one["type"] for one in status.get("currentMetrics") or []]
        assert self.metric in known, f"the autoscaler knows {known}, not {self.metric}: {active.get('message')}"
        pods = await self.kube.ready_pods(self.service)
        if len(pods) > least:  # what an earlier test, or an earlier run on a kept cluster, made it add
            await self.kube.scale(self.service, least)
        assert len(pods) == least, f"{len(pods)} pods instead of {least}"

    async def grown(self) -> None:
        """Fail unless the autoscaler wants more pods than without load, and more are ready."""
        found = (await autoscalers(self.kube))[self.service]
        least, status = found["spec"]["minReplicas"], found["status"]
        assert status["desiredReplicas"] > least, f"the autoscaler wants {status['desiredReplicas']} pods: {status}"
        ready = (await self.kube.scaled(self.service))["status"].get("readyReplicas", 0)
        assert ready > least, f"{ready} pods are ready, {status['desiredReplicas']} are wanted"

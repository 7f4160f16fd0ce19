"""Rolling services to another release, as the pipeline installs them, and back, as an operator does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.kube import Kube, is_ready
from tests.e2e.support import eventually, helm

from sluice.adapters.helm.charts import Helm
from sluice.adapters.process import run
from sluice.steps.run_suites import SuiteContext

ROOT = Path(__file__).parents[3]
ROLLED_WITHIN = 180.0
_HELM_SECONDS = 90.0


@dataclass(frozen=True)
class Releases:
    """The services' Helm releases. `work` is a folder for what Helm is given."""

    context: SuiteContext
    kube: Kube
    work: Path

    async def revisions(self) -> dict[str, int]:
        """The revision of each service's release that is deployed."""
        return await eventually(self._revisions, within=_HELM_SECONDS)

    async def _revisions(self) -> dict[str, int]:
        found = {}
        for service in self.context.services:
            history = json.loads(await self._helm("history", service, "--output", "json"))
            (deployed,) = [one for one in history if one["status"] == "deployed"]
            found[service] = int(deployed["revision"])
        return found

    async def roll_out(self, service: str, environment: Mapping[str, str]) -> None:
        """Upgrade a service to a release that differs from what is there by its environment alone."""
        values = json.loads(await self._helm("get", "values", service, "--output", "json")) or {}
        values["environment"] = {**values.get("environment", {}), **environment}
        helm = Helm(Path(self.context.helm), Path(self.context.kubeconfig), ROOT, self.work, self.work)
        await helm.install(service, f"helm/{service}", self.context.namespace, values=values)

    async def roll_back(self, service: str, revision: int) -> None:
        """Return a service to an earlier revision of its release."""
        await self._helm("rollback", service, str(revision))

    async def rolled(self, service: str, old: set[str]) -> None:
        """Return once all pods of a service are new and ready, and the old ones are gone to the last of them."""

        async def done() -> None:
            status = await self.kube.scaled(service)
            wanted = status["spec"]["replicas"]
            pods = await self._every_pod(service)
            left = [one for one in pods if one["metadata"]["uid"] in old]
            assert not left, f"{len(left)} old pods of {service} are still there"
            ready = [one for one in pods if is_ready(one)]
            assert len(ready) >= wanted, f"{len(ready)} of {wanted} pods of {service} are ready"

        await eventually(done, within=ROLLED_WITHIN, every=0.5)

    async def uids(self, service: str) -> set[str]:
        """The pods of a service, those on their way out too."""
        return {pod["metadata"]["uid"] for pod in await self._every_pod(service)}

    async def _every_pod(self, service: str) -> list[dict[str, Any]]:
        path = f"api/v1/namespaces/{self.kube.namespace}/pods"
        return list((await self.kube.get(path, labelSelector=f"app.kubernetes.io/name={service}"))["items"])

    async def _helm(self, *words: str) -> str:
        done = await run(helm(self.context, *words), deadline_seconds=_HELM_SECONDS)
        assert done.stdout.strip(), f"helm {' '.join(words)} said nothing: {done.tail}"
        return done.stdout

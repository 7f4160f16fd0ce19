"""A service's new image on some of its pods first: what steps/canary.py needs, of one target."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sluice.adapters.helm.charts import Helm
from sluice.adapters.kubernetes.canary import ApiCanary
from sluice.domain import Image, Service, SuiteTable
from sluice.errors import ChartError
from sluice.ports import Metrics
from sluice.promotion.canary_queries import countable
from sluice.promotion.model import Canary
from sluice.slo.load import load_slos
from sluice.steps.canary import canary, remove
from sluice.steps.install_charts import service_values


class TryingOut:
    """Implements steps.deploy_release.Canaries. `tables` has what was measured, of those that were stopped too."""

    def __init__(
        self,
        root: Path,
        helm: Helm,
        cluster: ApiCanary,
        metrics: Metrics,
        plan: Canary,
        namespace: str,
        components: Mapping[str, Image],
        values_for: Callable[[str], Sequence[Path]],
        running: Callable[[], Awaitable[Mapping[str, Sequence[str]]]],
        deadline_seconds: float,
        say: Callable[[str], None],
    ) -> None:
        self.tables: list[SuiteTable] = []
        self._root, self._helm, self._cluster, self._metrics = root, helm, cluster, metrics
        self._plan, self._namespace, self._components = plan, namespace, components
        self._values_for, self._running, self._deadline, self._say = values_for, running, deadline_seconds, say

    async def try_out(self, service: Service, image: Image) -> None:
        """Return once every step went well, at once where the service is new or runs this image already.

        Raises ChartError, with the numbers, where the canary was stopped; it is taken away then.
        """
        mine = f"{self._namespace}/{service.name}/"
        running = {one for name, refs in (await self._running()).items() for one in refs if name.startswith(mine)}
        if image.reference in running or not running:
            return
        manifest = await self._helm.rendered(
            service.name,
            service.chart,
            self._namespace,
            values=service_values(service, image, self._components),
            value_files=self._values_for(f"service-{service.name}"),
        )
        objects: list[dict[str, Any]] = [one for one in yaml.safe_load_all(manifest) if one]
        outcome = await canary(
            service.name,
            next((one for one in objects if one["kind"] == "Deployment"), {}),
            self._plan,
            objectives=countable(load_slos(self._root).get(service.name, ())),
            cluster=self._cluster,
            metrics=self._metrics,
            namespace=self._namespace,
            deadline_seconds=self._deadline,
            say=self._say,
            config=[one for one in objects if one["kind"] == "ConfigMap"],
        )
        self.tables.append(outcome.table)
        if not outcome.went_on:
            raise ChartError(
                f"the canary of {service.name} was stopped at {outcome.step} %",
                seen="; ".join(filter(None, (outcome.reason, outcome.left))),
                expected="no worse than what runs beside it",
                next_command=f"kubectl --namespace {self._namespace} get deployments",
            )

    async def end(self, service: Service) -> None:
        """Take the canary away, if there is one."""
        await remove(service.name, cluster=self._cluster)

"""What two regions are raised, asked and switched with: their clusters, reached, and what is installed with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.manifests import Manifests
from sluice.adapters.kubernetes.region import RegionCluster, ledger_name
from sluice.bootstrap import Toolbox, kubeconfig
from sluice.domain import Source
from sluice.errors import ClusterError
from sluice.installing import make_installer
from sluice.regions.model import cluster_of
from sluice.run import Run
from sluice.settings import Settings
from sluice.steps.install_charts import Installer
from sluice.supply import artifact
from sluice.target_tools import LEDGERS


class RegionTools:
    """The regions of a tree; everything goes through the toolbox's supply, engine and registry."""

    def __init__(self, home: Path, settings: Settings, run: Run, box: Toolbox) -> None:
        self.home = home
        self.settings = settings
        self.run = run
        self.box = box

    def cluster(self, region: str) -> str:
        """The name of a region's kind cluster."""
        return cluster_of(self.settings.cluster.name, region)

    def kubeconfig(self, region: str) -> Path:
        """Where a region's credentials lie, once there is one."""
        return kubeconfig(self.settings, self.cluster(region))

    def ledger_copy(self, region: str) -> Path:
        """This host's copy of a region's ledger."""
        return self.home / LEDGERS / f"{ledger_name(region)}.jsonl"

    @asynccontextmanager
    async def reached(self, region: str, source: Source) -> AsyncIterator[RegionCluster]:
        """Open the way to a region. Raises ClusterError where it has no credentials here; it need not answer."""
        config = self.kubeconfig(region)
        if not config.exists():
            raise ClusterError(
                f"there is no region {region} on this host",
                seen=f"no {config}",
                expected="a cluster that ./nox -s regions made",
                next_command="./nox -s regions -- up",
            )
        kubectl = artifact.program(await self.box.supply.get("kubectl"))
        async with connect(config) as client:
            yield RegionCluster(
                region,
                self.settings.cluster.name,
                client,
                kubectl=kubectl,
                kubeconfig=config,
                namespace=self.settings.namespaces.services,
                services=[one.name for one in source.services],
                ledger_copy=self.ledger_copy(region),
                log=self.run.logs / f"kubectl-{region}.log",
            )

    async def installer(self, region: str) -> tuple[Installer, Manifests]:
        """What is installed with in a region."""
        helm, kubectl = await self.box.supply.get_all("helm", "kubectl")
        programs = artifact.program(helm), artifact.program(kubectl)
        return make_installer(self.box.root, self.settings, self.run, self.kubeconfig(region), *programs, reuse=False)

    async def kill(self, region: str) -> None:
        """Kill a region's node, as a region is lost; its volumes stay. Raises ClusterError where it is not ours."""
        provider = await self.box.provider(self.cluster(region))
        await provider.owned()
        await (await self.box.engine()).docker("kill", provider.node)

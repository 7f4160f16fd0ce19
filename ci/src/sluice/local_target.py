"""The local target: a second kind cluster with a registry of its own that asks for credentials over TLS.

It stands for a cloud's cluster, with all that one has before anything is deployed: a database, a broker and Dapr's
components, Secrets, and credentials to pull by. What these run comes from this host's registry; what is deployed comes
from the target's. Its files lie in .sluice/target: kubeconfig, config.json (credentials), ca.crt.
"""

import shutil
from functools import partial
from pathlib import Path

import anyio

from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.docker.secured import Secured
from sluice.bootstrap import Toolbox
from sluice.domain import Cluster, Fixture, Source
from sluice.errors import ClusterError
from sluice.files import write_atomically
from sluice.installing import make_installer
from sluice.run import Run, begin
from sluice.settings import Settings
from sluice.steps.install_charts import Installer, prepare
from sluice.steps.install_fixtures import install_fixture, provide
from sluice.steps.install_secrets import install_secrets
from sluice.supply import artifact
from sluice.supply.workbench import in_engine
from sluice.target_tools import LEDGERS

FOLDER = "target"  # below the folder of runs
PULL_SECRET = "sluice-registry"
_PULLED_BY = "kubernetes.io/dockerconfigjson"


class LocalTarget:
    """The local target of a tree; everything goes through the toolbox's supply, engine and registry."""

    def __init__(self, home: Path, settings: Settings, run: Run, box: Toolbox) -> None:
        self.folder = home / FOLDER
        self._settings = settings
        self._run = run
        self._box = box

    async def up(self, *, new: bool = False) -> Cluster:
        """Raise it, or mend one that is there; returns when everything that a deploy expects of it is up.

        Raises ClusterError where its node was stopped meanwhile, unless it is to be `new`: that is not mended, and what
        was deployed there is not thrown away unasked.
        """
        run, box, limits = self._run, self._box, self._settings.deadlines
        spaces = self._settings.namespaces
        source = await run.step("resolve source", box.resolve_source, deadline_seconds=60)
        await run.step("supply cluster", box.cluster_parts, deadline_seconds=limits.supply)
        if not new:
            await self._refuse_interrupted()
        cluster = await run.step("create target", self._create, deadline_seconds=limits.cluster)
        if cluster.created:  # nothing was ever promoted to this one
            for copy in (self.folder.parent / LEDGERS).glob("local.jsonl"):
                copy.replace(copy.with_suffix(".before"))
        installer = await self._installer(cluster)
        definitions = await box.definitions()
        await run.step("prepare target", partial(prepare, installer, definitions), deadline_seconds=limits.charts)
        async with anyio.create_task_group() as group:
            secrets = partial(self._secrets, installer)
            begin(group, partial(run.step, "make secrets", secrets, deadline_seconds=limits.charts))
            for one in source.fixtures:
                begin(group, partial(self._fixture, installer, source, one))
        write_atomically(self.folder / "kubeconfig", Path(cluster.kubeconfig).read_bytes(), private=True)
        if source.fixtures:  # services that need none leave nothing to wait for
            await installer.rolled_out(spaces.services)
        return cluster

    async def down(self) -> list[str]:
        """Remove cluster, registry and files, where they are ours; returns what was removed."""
        said, name = [], self._settings.cluster.target_name
        await self._box.supply.get("kind")
        if await (await self._box.provider(name)).delete():
            said.append(f"removed the cluster {name}")
        if await (await self.registry()).remove():
            said.append(f"removed the registry {name}-registry and what it held")
        if self.folder.exists():
            shutil.rmtree(self.folder)
            said.append(f"removed {self.folder}")
        return said

    async def registry(self) -> LocalRegistry:
        """Its registry, which need not run."""
        cluster = self._settings.cluster
        secured = Secured(self.folder)
        engine = await self._box.engine()
        return LocalRegistry(engine, cluster.target_name, cluster.target_registry_port, secured=secured)

    async def _refuse_interrupted(self) -> None:
        provider = await self._box.provider(self._settings.cluster.target_name)
        if await provider.owned() and (seen := await provider.interrupted()):
            raise ClusterError(
                f"the local target {provider.name} was interrupted, and is not what it was",
                seen=seen,
                expected="a node that runs since it was made; at another address, parts are not scraped any more",
                next_command="./nox -s target -- down && ./nox -s target -- up, then deploy again what ran there",
            )

    async def _create(self) -> Cluster:
        registry = await self.registry()
        self.folder.mkdir(parents=True, exist_ok=True)
        credentials = Secured(self.folder).credentials
        before = credentials.read_bytes() if credentials.exists() else b""
        await registry.start(await in_engine(await self._box.engine(), await self._box.supply.get("registry")))
        if credentials.read_bytes() != before:  # with what the cluster knows nothing could be pulled any more
            await (await self._box.provider(self._settings.cluster.target_name)).delete()
        return await self._box.create_cluster(name=self._settings.cluster.target_name, also=registry)

    async def _installer(self, cluster: Cluster) -> Installer:
        helm, kubectl = await self._box.supply.get_all("helm", "kubectl")
        programs = artifact.program(helm), artifact.program(kubectl)
        config = Path(cluster.kubeconfig)
        return make_installer(self._box.root, self._settings, self._run, config, *programs, reuse=False)[0]

    async def _secrets(self, installer: Installer) -> None:
        spaces = self._settings.namespaces
        await install_secrets(installer, spaces.services)
        values = {".dockerconfigjson": Secured(self.folder).credentials.read_text()}
        for namespace in (spaces.services, spaces.monitoring, spaces.logging):
            await installer.manifests.ensure_secret(PULL_SECRET, namespace, values, kind=_PULLED_BY)

    async def _fixture(self, installer: Installer, source: Source, one: Fixture) -> None:
        run, limits, space = self._run, self._settings.deadlines, self._settings.namespaces.services
        work = partial(self._box.component_images, one.images)
        images = await run.step(f"supply {one.name}", work, deadline_seconds=limits.supply)
        put = partial(install_fixture, installer, one, space, images)
        await run.step(f"install {one.name}", put, deadline_seconds=limits.charts)
        for service in source.services if one.each_service else ():
            if one.name in service.requires:
                make = partial(provide, installer, one, service, space, images)
                await run.step(f"{one.name} for {service.name}", make, deadline_seconds=limits.charts)

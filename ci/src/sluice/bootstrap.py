"""The only place that chooses adapters: settings and a run in, everything the pipeline works with out."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from sluice import dashboards, disk
from sluice.adapters import host
from sluice.adapters.docker.engine import Engine, check_engine, ensure_engine
from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.kind.cluster import KindCluster
from sluice.adapters.kind.config import kind_config
from sluice.adapters.kubernetes.manifests import Manifests
from sluice.adapters.signals import stopped_by_signal
from sluice.building import image_builder
from sluice.domain import Cluster, Image, Images, Source, SuiteResults
from sluice.errors import SupplyError
from sluice.installing import make_installer
from sluice.judging import Judge
from sluice.policy import load_policy
from sluice.run import Run
from sluice.settings import Settings
from sluice.standing import load_standing, metrics_known
from sluice.steps import build_images, create_cluster, install_charts, run_suites
from sluice.steps.resolve_source import resolve_source
from sluice.steps.suite_plan import ALL, Selection
from sluice.suites import suite_context
from sluice.supply import artifact
from sluice.supply.cache import Cache
from sluice.supply.catalog import load_catalog
from sluice.supply.resolve import Supply
from sluice.supply.wheels import wheelhouse
from sluice.supply.workbench import in_engine


@dataclass(frozen=True)
class Options:
    """What a caller may ask of a run beyond the settings."""

    keep: bool = False
    reuse: bool = False
    may_install: bool = True
    suites: tuple[str, ...] = ()
    selection: Selection = ALL


class Toolbox:
    """The adapters of one run, bound to its settings; each method is the work of one step."""

    stopped_by_signal = staticmethod(stopped_by_signal)

    def __init__(self, root: Path, settings: Settings, run: Run, options: Options) -> None:
        self.root = root
        self.settings = settings
        self.policy = load_policy(root / "release" / "policy.toml", metrics=metrics_known(root))
        self._run = run
        self._options = options
        self._engine: Engine | None = None
        self._registry: LocalRegistry | None = None
        self._manifests: Manifests | None = None
        self._starting = {"engine": anyio.Lock(), "registry": anyio.Lock()}
        self._cache = Cache(settings.cache)
        self.supply = Supply(
            load_catalog(),
            self._cache,
            mode=settings.supply.mode,
            engine=self.engine,
            progress=run.progress,
            logs=run.logs,
            parallel=settings.supply.parallel,
            on_obtained=run.obtained,
        )
        self.judge = Judge(
            settings,
            run,
            self.policy,
            components=lambda: self.supply.obtained,
            kubeconfig=self.kubeconfig,
            dashboards=root / dashboards.FOLDER,
            suites=self.suites(),
            secrets=lambda: tuple(self._manifests.secrets) if self._manifests else (),
        )

    async def check_host(self) -> None:
        """Raise where this run could not be carried, or not be judged: before anything is built for it.

        HostError for this machine, PolicyError for release/, EvidenceError for what is kept of passed releases.
        """
        home = self.root / self.settings.run.folder
        self.judge.standing = load_standing(self.root, home, self.policy, now=self._run.started)
        await check_engine(may_install=self._options.may_install)
        self.check_disk()

    def check_disk(self, name: str = "") -> None:
        """Raise HostError where the cache has too little room for a cluster of that name, or of the settings'."""
        credentials = kubeconfig(self.settings, name)
        kept = self._options.reuse and disk.is_kept(credentials, self.supply.cached(), self.supply.catalog)
        disk.check_disk(self.settings, kept=kept)

    async def engine(self) -> Engine:
        """The container engine of this host, started where it must and may be."""
        async with self._starting["engine"]:
            if self._engine is None:
                capped = await self.supply.get("capped-runc") if host.missing_capabilities() else None
                self._engine = await ensure_engine(
                    self.settings.cache / "docker",
                    may_install=self._options.may_install,
                    capped_runc=lambda: artifact.program(capped) if capped else Path("runc"),
                    say=partial(self._run.progress.update, "engine"),
                )
            return self._engine

    async def resolve_source(self) -> Source:
        """The tree that this run starts from."""
        return await resolve_source(self.root)

    async def cluster_parts(self) -> None:
        """Everything that a cluster is started from."""
        await self.supply.get_all("kind", "crane", "registry", "node", "kubectl", "helm")

    async def image_parts(self) -> None:
        """What services' images start from."""
        await self.supply.get_all("python", "registry")

    async def registry(self) -> LocalRegistry:
        """The local registry, running."""
        engine, component = await self.engine(), await self.supply.get("registry")
        async with self._starting["registry"]:
            if self._registry is None:
                cluster = self.settings.cluster
                publish, reach = cluster.api_address, cluster.engine_host or "localhost"
                registry = LocalRegistry(engine, cluster.name, cluster.registry_port, publish=publish, reach=reach)
                await registry.start(await in_engine(engine, component))
                self._registry = registry
            return self._registry

    async def provider(self, name: str = "") -> KindCluster:
        """kind's cluster of that name, or of the settings'."""
        kind = artifact.program(await self.supply.get("kind"))
        state, log = self.settings.cache / "clusters", self._run.logs / "kind.log"
        cluster = self.settings.cluster
        return KindCluster(await self.engine(), kind, name or cluster.name, state, log, reach=cluster.engine_host)

    async def create_cluster(self, *, name: str = "", also: LocalRegistry | None = None) -> Cluster:
        """The cluster, new or kept; of another name than the settings' where one is given.

        `also` is a registry that its node is to know besides this host's own.
        """
        node = await self.supply.get("node")
        config = kind_config(
            from_source=node.how == "source",
            short_capabilities=bool(host.missing_capabilities()),
            coredns_version=self.supply.catalog["coredns"].version,
            api_address=self.settings.cluster.api_address,
            api_names=self.settings.cluster.api_names,
        )
        provider = await self.provider(name)
        cluster = await create_cluster.create_cluster(
            provider,
            await self.registry(),
            node_image=await in_engine(await self.engine(), node),
            kubernetes=node.version,
            config=config,
            reuse=self._options.reuse,
            on_line=self._run.say,
        )
        if also:
            await also.join(provider.node)
        return cluster

    async def build_images(self, source: Source) -> Images:
        """The services' images, in the local registry."""
        registry = await self.registry()
        base, crane = await self.supply.get_all("python", "crane")
        async with image_builder(self.settings, self._run, await self.engine(), registry, base, crane) as builder:
            return await build_images.build_images(
                source,
                builder=builder,
                staging=self.settings.cache / "staging" / self.settings.cluster.name,
                base=artifact.engine_tag(base),
                registry=registry.host,
                wheelhouse=lambda lock: wheelhouse(lock, self._cache, self._run.progress, self._run.logs),
            )

    async def component_images(self, names: Sequence[str]) -> dict[str, Image]:
        """Components' images, in the local registry, by name."""
        components = await self.supply.get_all(*names)
        crane = artifact.program(await self.supply.get("crane"))
        registry = await self.registry()
        return {component.name: await registry.push(component, crane) for component in components}

    async def grafana(self) -> Image | None:
        """Grafana's image, where it can be had."""
        component = await self.supply.get_optional("grafana")
        if component is None:
            self._run.progress.update("supply", "Grafana is in no package registry: left out of this cluster")
            return None
        return (await self.component_images([component.name]))[component.name]

    async def definitions(self) -> Path:
        """The folder with the operator's custom resource definitions."""
        return artifact.files(await self.supply.get("monitoring-crds"))

    async def installer(self, cluster: Cluster) -> install_charts.Installer:
        """What charts are installed with."""
        helm, kubectl = await self.supply.get_all("helm", "kubectl")
        installer, self._manifests = make_installer(
            self.root,
            self.settings,
            self._run,
            Path(cluster.kubeconfig),
            artifact.program(helm),
            artifact.program(kubectl),
            reuse=self._options.reuse,
        )
        return installer

    def suites(self) -> tuple[str, ...]:
        """The suites to run: those asked for, else the settings', else all that the policy requires for a verdict."""
        return self._options.suites or self.settings.run.suites or self.policy.required_suites

    async def run_suites(self, source: Source) -> SuiteResults:
        """The suites, on the cluster."""
        context = suite_context(
            self.settings,
            self._run,
            spaces=self.settings.namespaces,
            services=source.services,
            fixtures=source.fixtures,
            kubeconfig=self.kubeconfig,
            helm=artifact.program(await self.supply.get("helm")),
            kubectl=artifact.program(await self.supply.get("kubectl")),
        )
        results = await run_suites.run_suites(
            root=self.root,
            context=context,
            suites=self.suites(),
            evidence_dir=self._run.folder,
            deadline_seconds=self.settings.deadlines.suites,
            on_line=partial(self._run.progress.update, "run suites"),
            selection=self._options.selection,
        )
        # Suites that were cut off may have left what they broke, and a cluster that goes needs no memory.
        if self._manifests and self._options.keep and results.exit_status in (0, 1):
            self._manifests.applied.give_back()
        return results

    async def leave_cluster(self) -> None:
        """Remove cluster and registry unless they are to be kept; what the registry holds stays for the next run."""
        shutil.rmtree(self._run.folder / "work", ignore_errors=True)
        if self._options.keep or self._engine is None or "kind" not in {c.name for c in self.supply.obtained}:
            return  # without kind at hand there is no cluster of this run's to remove
        self._run.progress.begin("remove cluster")
        outcome = "failed"
        try:
            await (await self.provider()).delete()
            if self._registry:
                await self._registry.stop()
            outcome = "done"
        except Exception as error:  # noqa: BLE001 - the verdict stands; what is left is said, the next run replaces it
            self._run.progress.update("remove cluster", self._run.told(error).splitlines()[0])
        finally:
            self._run.progress.end("remove cluster", outcome=outcome)

    def everything(self) -> tuple[str, ...]:
        """Every component that can be had on this host without asking, optional ones left out."""
        return tuple(name for name, entry in self.supply.catalog.items() if not entry.optional)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise SupplyError for names that the catalog does not have."""
        unknown = sorted(set(names) - set(self.supply.catalog))
        if unknown:
            raise SupplyError(
                f"no such component: {', '.join(unknown)}",
                seen=", ".join(unknown),
                expected=", ".join(self.supply.catalog),
                next_command="./nox -s supply -- --list",
            )

    @property
    def kubeconfig(self) -> Path:
        """Where the cluster's credentials lie."""
        return kubeconfig(self.settings)


def kubeconfig(settings: Settings, name: str = "") -> Path:
    """Where the credentials of the cluster of that name, or of the settings', lie once there is one."""
    return settings.cache / "clusters" / f"{name or settings.cluster.name}.kubeconfig"

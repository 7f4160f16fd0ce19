"""What a promotion works with: one target's cluster and registry, its ledger, and where releases come from."""

import getpass
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from sluice.adapters.helm.charts import Helm
from sluice.adapters.kubernetes import lease
from sluice.adapters.kubernetes.applied import Applied
from sluice.adapters.kubernetes.canary import ApiCanary
from sluice.adapters.kubernetes.ledger import TargetLedger
from sluice.adapters.kubernetes.manifests import Manifests
from sluice.adapters.kubernetes.rollout import wait_rolled_out
from sluice.adapters.kubernetes.running import running_images
from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.process import run as run_program
from sluice.adapters.prometheus.alertmanager import AlertmanagerApi
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.adapters.registry.access import Access
from sluice.bootstrap import Toolbox
from sluice.domain import Image, SuiteResults
from sluice.errors import SignatureRefused
from sluice.files import write_atomically
from sluice.promotion.chart_values import HELM, files_for
from sluice.promotion.model import Target
from sluice.promotion.release import ATTESTED, REPOSITORY
from sluice.release_tools import Place, ReleaseTools
from sluice.run import Run, side_by_side
from sluice.settings import NamespaceSettings
from sluice.steps import run_suites
from sluice.steps.fetch_release import Fetched, fetch_release
from sluice.steps.gather_failure import gather_failure
from sluice.steps.install_charts import Installer
from sluice.steps.suite_plan import Selection
from sluice.suites import suite_context
from sluice.trying_out import TryingOut

LEDGERS = "ledgers"  # below the folder of runs: a copy of each target's


@dataclass(frozen=True)
class Programs:
    """The programs that a deploy goes through."""

    helm: Path
    kubectl: Path


class TargetTools:
    """One target, reached: made by `reach`, which removes the folder of its kubeconfig in the end, and all in it."""

    def __init__(
        self,
        box: Toolbox,
        home: Path,
        run: Run,
        target: Target,
        tools: ReleaseTools,
        programs: Programs,
        client: httpx.AsyncClient,
        kubeconfig: Path,
    ) -> None:
        self.target = target
        self.releases = tools
        self._box, self._run, self._programs = box, run, programs
        self.client, self._kubeconfig = client, kubeconfig
        self.work = kubeconfig.parent
        copy = home / LEDGERS / f"{target.name}.jsonl"
        copy.parent.mkdir(parents=True, exist_ok=True)
        self.ledger = TargetLedger(client, target.cluster.services, target.name, copy)
        self.place = place_of(box.root, target)

    @property
    def root(self) -> Path:
        """The tree that this is run from."""
        return self._box.root

    @property
    def who(self) -> str:
        """Who promotes, for the ledger."""
        return os.environ.get("SLUICE_WHO") or f"{getpass.getuser()}@{socket.gethostname()}"

    def lock(self) -> Any:
        """The target's promotion lock, as an async context."""
        holder, say = f"{self.who}:{os.getpid()}", partial(self._run.progress.update, "lock")
        return lease.held(self.client, self.target.cluster.services, holder=holder, say=say)

    async def fetch(self, place: Place, digest: str) -> Fetched:
        """The release of a digest, checked, with its images in this target's registry."""
        reference = f"{place.repository}/{REPOSITORY}@{digest}"
        folder = self.work / "releases" / digest.removeprefix("sha256:")[:16]
        cosign, trusted = self.releases.cosign, self.target.trusted(self.root)
        fetched = await fetch_release(
            reference,
            folder,
            verify=lambda it: cosign.verify(it, trusted, place.access),
            pull=lambda it, into: self.releases.oras.pull(it, into, place.access),
        )
        return fetched.at(self.place.repository)

    async def unproven(self, place: Place, images: Sequence[Image]) -> list[str]:
        """What is wrong with the signatures and attestations of images in a place."""
        return [one for found in await side_by_side(partial(self._unproven, place), images) for one in found]

    async def _unproven(self, place: Place, image: Image) -> list[str]:
        trusted = self.target.trusted(self.root)
        reference, cosign = f"{place.repository}/{image.name}@{image.digest}", self.releases.cosign
        found = []
        try:
            await cosign.verify(reference, trusted, place.access)
        except SignatureRefused as error:
            found.append(f"{image.name}: {error.failed}")
        for kind, what in ATTESTED.items():
            try:
                await cosign.attestation(reference, kind, trusted, place.access)
            except SignatureRefused:
                found.append(f"{image.name} has no {what} that {trusted} signed")
        return found

    async def copy(self, release: Fetched, source: Place) -> None:
        """All images with what refers to them, and then the release itself, into the target's registry."""
        if source == self.place:  # where it goes back to, it was brought to before
            return
        everything, done = release.release.everything, 0

        async def one(image: Image) -> None:
            nonlocal done
            await self._copy(source, f"{image.name}@{image.digest}", image.name)
            done += 1
            self._run.progress.update("copy images", f"{done} of {len(everything)}, {image.name}")

        await side_by_side(one, everything)
        await self._copy(source, f"{REPOSITORY}@{release.digest}", f"{REPOSITORY}:{release.release.id}")

    async def _copy(self, source: Place, what: str, to: str) -> None:
        await self.releases.oras.copy(
            f"{source.repository}/{what}",
            f"{self.place.repository}/{to}",
            source_access=source.access,
            target_access=self.place.access,
        )

    def installer(self, release: Fetched, *, keep_current: bool = False) -> Installer:
        """What puts a release's charts on the target; `keep_current`: but those that stand there as it would."""
        logs, config = self._run.logs, self._kubeconfig
        helm = self.helm(release, keep_current=keep_current)
        manifests = Manifests(self._programs.kubectl, config, self.work, logs, Applied(self.work / "applied.json"))
        return Installer(release.content, helm, manifests, self._rolled_out, partial(self.values_for, release))

    def helm(self, release: Fetched, *, keep_current: bool = False) -> Helm:
        """Helm, with a release's charts."""
        work = self.work / "helm" / release.digest.removeprefix("sha256:")[:16]
        work.mkdir(parents=True, exist_ok=True)
        return Helm(
            self._programs.helm, self._kubeconfig, release.content, work, self._run.logs, keep_current=keep_current
        )

    def canary(self, release: Fetched, say: Callable[[str], None]) -> TryingOut:
        """What tries a service's new image out."""
        spaces = self.target.cluster
        return TryingOut(
            self.root,
            self.helm(release),
            ApiCanary(self.client, spaces.services),
            self.metrics(),
            self.target.canary,
            spaces.services,
            {image.name: image for image in release.release.components},
            partial(self.values_for, release),
            self.running,
            self._box.settings.deadlines.charts,
            say,
        )

    def values_for(self, release: Fetched, chart: str) -> list[Path]:
        """A chart's files of values for this target: its cloud's, then the target's own, then what it says itself."""
        name = chart.removeprefix("service-")
        if chart == "service":
            return []
        folders = {one.name: one.chart for one in release.release.services}
        folder = release.content / folders.get(name, f"{HELM}/{name}")
        own = self.work / "values" / f"{name}.yaml"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(yaml.safe_dump(self.target.chart_values(name)))
        return [*files_for(folder, self.root, self.target, name), own]

    async def _rolled_out(self, namespace: str, *, expect: Sequence[str] = (), selector: str = "") -> None:
        await wait_rolled_out(
            ApiWorkloads(self.client),
            [namespace],
            expect=expect,
            selector=selector,
            deadline_seconds=self._box.settings.deadlines.charts * 0.8,
            on_change=self._run.say,
        )

    async def running(self) -> dict[str, tuple[str, ...]]:
        """The images that the target's workloads are told to run, by container."""
        return await running_images(self.client, self.target.cluster.namespaces)

    async def gather(self) -> None:
        """What the target looks like, as failure/ of the run's folder, secrets masked. Raises ClusterError."""
        seconds = self._box.settings.deadlines.evidence / 4
        workloads, cut = ApiWorkloads(self.client), list[str]()
        secrets = await self.secrets()
        await gather_failure(workloads, self._run.folder, cut=cut, secrets=secrets, deadline_seconds=seconds)
        if cut:
            self._run.write(self._run.folder / "cut.txt", "".join(f"{line}\n" for line in cut).encode())

    async def edited(self, release: Fetched) -> list[str]:
        """What of the promoted charts somebody has changed since; the API server compares, and knows its defaults."""
        charts = ("monitoring", "logging", *(one.name for one in release.release.services))
        return [one for found in await side_by_side(partial(self._edited, self.helm(release)), charts) for one in found]

    async def _edited(self, helm: Helm, chart: str) -> list[str]:
        namespace = self.target.cluster.namespace_of(chart)
        manifest = await helm.manifest(chart, namespace)
        if not manifest.strip():
            return [f"the chart {chart} is not installed"]
        # Not by --namespace: that refuses what a chart puts into another one.
        config = yaml.safe_load(self._kubeconfig.read_text())
        config["contexts"][0]["context"]["namespace"] = namespace
        file = self.work / f"kubeconfig-{namespace}"
        write_atomically(file, yaml.safe_dump(config).encode(), private=True)
        done = await run_program(
            [self._programs.kubectl, "--kubeconfig", file, "diff", "--filename", "-"],
            deadline_seconds=60,
            stdin=manifest.encode(),
            check=False,
            what=f"comparing {chart}",
            env={"KUBECTL_EXTERNAL_DIFF": "diff -u -N"},
        )
        if done.status > 1:
            return [f"{chart} cannot be compared: {done.tail[-200:]}"]
        changed = [line.split()[1].rpartition("/")[2] for line in done.stdout.splitlines() if line.startswith("+++ ")]
        return [f"{chart}: {one.split('.')[-3]} {one.split('.')[-1]} was edited" for one in changed]

    async def secrets(self) -> list[str]:
        """What is secret on the target, to be masked. Raises ClusterError where it may not be read."""
        workloads, spaces = ApiWorkloads(self.client), self.target.cluster.namespaces
        return [one for space in spaces for one in await workloads.secret_values(space)]

    def metrics(self) -> PrometheusMetrics:
        """The target's Prometheus."""
        return PrometheusMetrics(ServiceProxy(self.client, self.target.cluster.monitoring, "prometheus", 9090))

    def alertmanager(self) -> AlertmanagerApi:
        """The target's Alertmanager."""
        return AlertmanagerApi(ServiceProxy(self.client, self.target.cluster.monitoring, "alertmanager", 9093))

    def logs(self) -> LokiLogs:
        """The target's Loki."""
        return LokiLogs(ServiceProxy(self.client, self.target.cluster.logging, "loki", 3100))

    async def smoke(self, release: Fetched) -> SuiteResults:
        """The smoke tests of the suites that the target names."""
        settings, spaces = self._box.settings, self.target.cluster
        context = suite_context(
            settings,
            self._run,
            spaces=NamespaceSettings(services=spaces.services, monitoring=spaces.monitoring, logging=spaces.logging),
            services=release.release.services,
            kubeconfig=self._kubeconfig,
            helm=self._programs.helm,
            kubectl=self._programs.kubectl,
        )
        folder = self._run.folder / "smoke" / f"{release.release.id}-{time.time():.0f}"
        context = replace(context, evidence_dir=str(folder))
        return await run_suites.run_suites(
            root=self.root,
            context=context,
            suites=self.target.smoke,
            evidence_dir=folder,
            deadline_seconds=settings.deadlines.charts,
            on_line=self._run.say,
            selection=Selection(smoke=True),
        )


def place_of(root: Path, target: Target) -> Place:
    """The target's registry, and how it is spoken to."""
    registry = target.registry
    credentials = registry.credentials_file(root, os.environ)
    given = credentials if credentials.is_file() or registry.credentials else None
    return Place(registry.repository, Access(credentials=given, ca=registry.ca_file(root)))

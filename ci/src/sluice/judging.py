"""What becomes of a run when its work is over or broken: evidence, its bundle after a failure, report, dashboards."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio.to_thread
import httpx

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.dashboards import DashboardData, load_dashboards
from sluice.domain import Cluster, Component, Evidence, Images, Source, SuiteResults, Verdict, dump, load
from sluice.errors import EvidenceError, SluiceError
from sluice.evidence_folder import EvidenceFolder
from sluice.files import tail
from sluice.masking import masker
from sluice.policy import Policy
from sluice.rebuild import RUN_FILE, RunRecord, reports, results_so_far
from sluice.report import page
from sluice.run import Run
from sluice.settings import Settings
from sluice.standing import POLICY_COPY, Standing, record
from sluice.steps import collect_dashboards, collect_evidence, gather_failure, gather_tests
from sluice.steps.gather_tests import AFTER_SECONDS
from sluice.steps.tidy_evidence import Bounds

_SHOWN_BYTES = 64 * 1024
_SHOWN = (".log", ".txt")
_SETTLE_SECONDS = 20
_DASHBOARDS = "dashboards"  # of a run: what each panel showed, for the report to draw


class Judge:
    """Reads the cluster and writes the run's folder. `secrets` gives what nothing that is written may hold.

    `kubeconfig` is None where there is no cluster of this run's; `components` gives those at hand; `ended` is set for a
    run that was over some time ago: its last sign of life, in seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        run: Run,
        policy: Policy,
        *,
        kubeconfig: Path | None,
        dashboards: Path,
        suites: Sequence[str],
        components: Callable[[], tuple[Component, ...]],
        secrets: Callable[[], tuple[str, ...]],
        ended: float | None = None,
    ) -> None:
        self._settings = settings
        self._run = run
        self._policy = policy
        self._kubeconfig = kubeconfig
        self._dashboards = dashboards
        self._suites = tuple(suites)
        self._components = components
        self._given_secrets = secrets
        self._read_secrets: tuple[str, ...] = ()
        self._ended = ended
        limits = settings.evidence
        bounds = Bounds(file=int(limits.max_file_mb * 1e6), total=int(limits.max_mb * 1e6))
        self._evidence = EvidenceFolder(run, bounds)
        self.standing = Standing()

    def begin(self) -> None:
        """Write down what is asked of the run, and take the room that its evidence needs where the disk gets full."""
        runtime = "dagger" if self._settings.run.runtime == "dagger" else "docker"
        record = RunRecord(self._run.id, self._run.started, runtime, self._suites)
        self._run.write(self._run.folder / RUN_FILE, dump(record))
        self._evidence.reserve()

    def results_so_far(self, reason: str) -> SuiteResults | None:
        """What the suites had got to when the run was stopped; None where no test had begun."""
        return results_so_far(self._run.folder, self._suites, time.time(), reason)

    @property
    def _cluster_is_there(self) -> bool:
        return self._kubeconfig is not None and self._kubeconfig.exists()

    def _connect(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        assert self._kubeconfig
        return connect(self._kubeconfig)

    def _secrets(self) -> tuple[str, ...]:
        return (*self._given_secrets(), *self._read_secrets)

    async def _read_cluster_secrets(self, client: httpx.AsyncClient) -> None:
        """A kept cluster has secrets that this run did not make, and perhaps never got to read."""
        spaces = self._settings.namespaces
        for namespace in dict.fromkeys((spaces.services, spaces.monitoring, spaces.logging)):
            with suppress(SluiceError):
                self._read_secrets += await ApiWorkloads(client).secret_values(namespace)

    async def settled(self, results: SuiteResults | None) -> SuiteResults | None:
        """The results with a window that ends after the last scrape of what the suites did; raises nothing.

        Where that cannot be seen, the results as they are: what cannot be measured fails later, and says why.
        """
        if results is not None and self._ended:
            return replace(results, ended=self._end())
        if results is None or not self._cluster_is_there:
            return results
        with suppress(SluiceError):
            async with self._connect() as client:
                ended = await collect_evidence.settled(
                    self._metrics(client),
                    since=results.ended,
                    namespace=self._settings.namespaces.services,
                    deadline_seconds=_SETTLE_SECONDS,
                )
            return replace(results, ended=ended)
        return results

    async def gather_failure(self, results: SuiteResults | None, failures: Sequence[str]) -> SuiteResults | None:
        """After a failure: what the cluster looks like, and a bundle for each failed test; raises nothing.

        Returns the results with the bundles' names.
        """
        deadline = self._settings.deadlines.evidence
        room = self._evidence.bounds.total // 3
        gather = partial(
            gather_tests.gather_tests,
            results,
            failures,
            self._run.folder,
            namespace=self._settings.namespaces.services,
            reports=reports(self._run.folder),
            cut=self._evidence.cut,
            most=self._settings.evidence.failed_tests,
            deadline_seconds=deadline / 2,
            max_bytes=room,
        )
        try:
            if self._cluster_is_there:
                async with self._connect() as client:
                    await self._read_cluster_secrets(client)
                    sources = gather_tests.Sources(self._metrics(client), self._logs(client), ApiWorkloads(client))
                    found = await gather(sources, secrets=self._secrets())
                    await gather_failure.gather_failure(
                        ApiWorkloads(client),
                        self._run.folder,
                        cut=self._evidence.cut,
                        deadline_seconds=deadline / 2,
                        secrets=self._secrets(),
                        max_bytes=room,
                    )
                    return found
        except Exception as error:  # noqa: BLE001 - gathering must not stand between a failure and its verdict
            self._run.progress.update("gather failure", self._run.told(error).splitlines()[0])
        return await gather(gather_tests.Sources(None, None, None), secrets=self._secrets())

    async def collect_dashboards(self, results: SuiteResults | None) -> None:
        """What every panel showed since the suites began, or since the run did, as dashboards/<uid>.json.

        Raises nothing: a picture is no evidence.
        """
        if not self._cluster_is_there:
            return
        try:
            async with self._connect() as client:
                found = await collect_dashboards.collect_dashboards(
                    load_dashboards(self._dashboards),
                    metrics=self._metrics(client),
                    logs=self._logs(client),
                    namespace=self._settings.namespaces.services,
                    start=results.started if results else self._run.started,
                    end=self._end(),
                    deadline_seconds=self._settings.deadlines.evidence * 0.8,
                    mask=masker(self._secrets()),
                )
        except Exception as error:  # noqa: BLE001 - as above
            self._run.progress.update("collect dashboards", self._run.told(error).splitlines()[0])
            return
        folder = self._run.folder / _DASHBOARDS
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
        for one in found:
            self._run.write(folder / f"{one.dashboard.uid}.json", dump(one, indent=None))

    async def collect_evidence(
        self,
        source: Source | None,
        images: Images,
        cluster: Cluster | None,
        results: SuiteResults | None,
        failures: Sequence[str],
    ) -> Evidence:
        """Everything that was measured, written as evidence.json; before that, the folder is masked and bounded."""
        # Some seconds of work: whoever shows progress goes on meanwhile.
        tests = results.tests if results else ()
        await anyio.to_thread.run_sync(self._evidence.tidy, masker(self._secrets()), tests)
        facts = collect_evidence.RunFacts(
            run_id=self._run.id,
            started=self._run.started,
            runtime="dagger" if self._settings.run.runtime == "dagger" else "docker",
            source=source,
            images=images,
            cluster=cluster,
            components=self._components(),
            steps=tuple(self._run.timings),
            suites=self._suites,
            results=results,
            failures=tuple(failures),
            secrets=self._secrets(),
            cut=tuple(self._evidence.cut),
            baselines=self.standing.baselines,
            overrides=self.standing.overrides,
            quarantine=self.standing.quarantine,
        )
        collect = partial(
            collect_evidence.collect_evidence,
            facts,
            policy=self._policy,
            namespace=self._settings.namespaces.services,
            evidence_dir=self._run.folder,
            ended=self._ended or time.time(),
            deadline_seconds=self._settings.deadlines.evidence * 0.8,
            say=partial(self._run.progress.update, "collect evidence"),
        )
        if results is None or not self._cluster_is_there:
            evidence = await collect(metrics=None, logs=None)
        else:
            async with self._connect() as client:
                evidence = await collect(metrics=self._metrics(client), logs=self._logs(client))
        # With it the verdict can be computed again when release/ has long changed.
        if self.standing.policy_text:
            self._run.write(self._run.folder / POLICY_COPY, self.standing.policy_text)
        return self._evidence.write_evidence(evidence)

    def _end(self) -> float:
        """The end of what is looked at: now, or what came of a run that was over some time ago."""
        return min(time.time(), self._ended + AFTER_SECONDS) if self._ended else time.time()

    def _metrics(self, client: httpx.AsyncClient) -> PrometheusMetrics:
        return PrometheusMetrics(ServiceProxy(client, self._settings.namespaces.monitoring, "prometheus", 9090))

    def _logs(self, client: httpx.AsyncClient) -> LokiLogs:
        return LokiLogs(ServiceProxy(client, self._settings.namespaces.logging, "loki", 3100))

    def write_report(self, evidence: Evidence, verdict: Verdict) -> None:
        """verdict.json and report.html beside the evidence; what passed is kept to compare with."""
        self._run.write(self._run.folder / "verdict.json", dump(verdict))
        try:
            record(self._run.folder.parents[1], evidence, verdict, keep=self._policy.baselines.keep)
        except OSError as error:
            self._run.progress.update("report", f"what passed is not kept to compare with: {error.strerror}")
        texts = {name: tail(self._run.folder / name, _SHOWN_BYTES) for name in evidence.files if name.endswith(_SHOWN)}
        shown = page.render(evidence, verdict, texts, dashboards=list(self._boards()), mask=masker(self._secrets()))
        self._run.write(self._run.folder / "report.html", shown.encode())
        self._evidence.finish()

    def _boards(self) -> Iterator[DashboardData]:
        """What was collected of dashboards; what a full disk cut is no picture."""
        for path in sorted((self._run.folder / _DASHBOARDS).glob("*.json")):
            with suppress(EvidenceError):
                yield load(DashboardData, path)

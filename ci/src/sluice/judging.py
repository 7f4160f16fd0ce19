"""What becomes of a run when its work is over or broken: evidence, its bundle after a failure, report, dashboards."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.dashboards import DashboardData, load_dashboards
from sluice.domain import Cluster, Evidence, Images, Source, SuiteResults, Verdict, dump, load
from sluice.masking import masker
from sluice.policy import Policy
from sluice.releases import POLICY_COPY, Standing, record
from sluice.report import dashboard, page
from sluice.run import Run
from sluice.settings import Settings
from sluice.steps import collect_dashboards, collect_evidence, gather_failure
from sluice.supply.resolve import Supply

_SHOWN_BYTES = 64 * 1024
_SETTLE_SECONDS = 20
_DASHBOARDS = "dashboards"  # of a run: what each panel showed, for the pages that are drawn of it


class Judge:
    """Reads the cluster and writes the run's folder. `secrets` gives what nothing that is written may hold."""

    def __init__(
        self,
        settings: Settings,
        run: Run,
        policy: Policy,
        supply: Supply,
        *,
        kubeconfig: Path,
        dashboards: Path,
        suites: Sequence[str],
        secrets: Callable[[], tuple[str, ...]],
    ) -> None:
        self._settings = settings
        self._run = run
        self._policy = policy
        self._supply = supply
        self._kubeconfig = kubeconfig
        self._dashboards = dashboards
        self._suites = tuple(suites)
        self._secrets = secrets
        self.standing = Standing()

    async def gather_failure(self) -> tuple[str, ...]:
        """After a failure: pod states, events and logs, if there is a cluster to ask; raises nothing."""
        if not self._kubeconfig.exists():
            return ()
        try:
            async with connect(self._kubeconfig) as client:
                return await gather_failure.gather_failure(
                    ApiWorkloads(client),
                    self._run.folder,
                    deadline_seconds=self._settings.deadlines.evidence,
                    secrets=self._secrets(),
                )
        except Exception as error:  # noqa: BLE001 - gathering must not stand between a failure and its verdict
            self._run.progress.update("gather failure", self._run.told(error).splitlines()[0])
            return ()

    async def collect_dashboards(self, results: SuiteResults | None) -> None:
        """What every panel showed since the suites began, or since the run did, as dashboards/<uid>.json.

        Raises nothing: a picture is no evidence.
        """
        if not self._kubeconfig.exists():
            return
        try:
            async with connect(self._kubeconfig) as client:
                found = await collect_dashboards.collect_dashboards(
                    load_dashboards(self._dashboards),
                    metrics=self._metrics(client),
                    logs=self._logs(client),
                    namespace=self._settings.namespaces.services,
                    start=results.started if results else self._run.started,
                    end=time.time(),
                    deadline_seconds=self._settings.deadlines.evidence * 0.8,
                    mask=masker(self._secrets()),
                )
        except Exception as error:  # noqa: BLE001 - as above
            self._run.progress.update("collect dashboards", self._run.told(error).splitlines()[0])
            return
        (self._run.folder / _DASHBOARDS).mkdir(exist_ok=True)
        for one in found:
            (self._run.folder / _DASHBOARDS / f"{one.dashboard.uid}.json").write_bytes(dump(one, indent=None))

    async def collect_evidence(
        self,
        source: Source | None,
        images: Images,
        cluster: Cluster | None,
        results: SuiteResults | None,
        failures: Sequence[str],
    ) -> Evidence:
        """Everything that was measured, written as evidence.json."""
        results = await self._settled(results)
        facts = collect_evidence.RunFacts(
            run_id=self._run.id,
            started=self._run.started,
            runtime="dagger" if self._settings.run.runtime == "dagger" else "docker",
            source=source,
            images=images,
            cluster=cluster,
            components=self._supply.obtained,
            steps=tuple(self._run.timings),
            suites=self._suites,
            results=results,
            failures=tuple(failures),
            secrets=self._secrets(),
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
            ended=time.time(),
            deadline_seconds=self._settings.deadlines.evidence * 0.8,
            say=partial(self._run.progress.update, "collect evidence"),
        )
        if results is None or not self._kubeconfig.exists():
            evidence = await collect(metrics=None, logs=None)
        else:
            async with connect(self._kubeconfig) as client:
                evidence = await collect(metrics=self._metrics(client), logs=self._logs(client))
        (self._run.folder / "evidence.json").write_bytes(dump(evidence))
        # With it the verdict can be computed again when release/ has long changed.
        (self._run.folder / POLICY_COPY).write_bytes(self.standing.policy_text)
        return evidence

    async def _settled(self, results: SuiteResults | None) -> SuiteResults | None:
        """The results with a window that ends after the last scrape and shipment of what the suites did."""
        if results is None or not self._kubeconfig.exists():
            return results
        async with connect(self._kubeconfig) as client:
            ended = await collect_evidence.settled(
                self._metrics(client),
                since=results.ended,
                namespace=self._settings.namespaces.services,
                deadline_seconds=_SETTLE_SECONDS,
            )
        return replace(results, ended=ended)

    def _metrics(self, client: httpx.AsyncClient) -> PrometheusMetrics:
        return PrometheusMetrics(ServiceProxy(client, self._settings.namespaces.monitoring, "prometheus", 9090))

    def _logs(self, client: httpx.AsyncClient) -> LokiLogs:
        return LokiLogs(ServiceProxy(client, self._settings.namespaces.logging, "loki", 3100))

    def write_report(self, evidence: Evidence, verdict: Verdict) -> None:
        """verdict.json, report.html and a page a dashboard beside the evidence; what passed is kept to compare with."""
        (self._run.folder / "verdict.json").write_bytes(dump(verdict))
        record(self._run.folder.parents[1], evidence, verdict, keep=self._policy.baselines.keep)
        logs = {name: _tail(self._run.folder / name) for name in evidence.files if name.endswith((".log", ".txt"))}
        boards = [load(DashboardData, path) for path in sorted((self._run.folder / _DASHBOARDS).glob("*.json"))]
        titles = [(one.dashboard.title, one.dashboard.uid) for one in boards]
        for one in boards:
            drawn = dashboard.render(
                one, evidence.tests, run_id=evidence.run_id, origin=evidence.started, others=titles
            )
            (self._run.folder / dashboard.file_name(one.dashboard.uid)).write_text(drawn, encoding="utf-8")
        pages = [(title, dashboard.file_name(uid)) for title, uid in titles]
        shown = page.render(evidence, verdict, logs, dashboards=pages, mask=masker(self._secrets()))
        (self._run.folder / "report.html").write_text(shown, encoding="utf-8")


def _tail(path: Path) -> str:
    """The end of a text file, for the report; an empty text where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _SHOWN_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""

"""What a runbook says to run in the first five minutes runs: its queries, and its kubectl commands, which only read.

So does what the operators' pages show: quick starts, runbooks of docs/, troubleshooting.
"""

import os
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest
from tests.e2e.kube import Kube
from tests.e2e.support import eventually
from tests.rules.guides import GUIDES, reading
from tests.rules.runbooks import Block, filled, refused, runnable

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.run_suites import SuiteContext

# Beside the quiet minute: whoever reads disturbs nobody.
pytestmark = [pytest.mark.anyio, pytest.mark.first, pytest.mark.beside]

RUNBOOKS = sorted((Path(__file__).parents[3] / "helm" / "monitoring" / "runbooks").glob("*.md"))
SERVICE = "backend"
PATIENCE = 20.0  # a pod that was just started has no metrics yet, and `kubectl top` says so by its status
COMMAND_SECONDS = 30.0
LOOKED_BACK = 3600.0


@dataclass
class Operator:
    """Whoever reads runbooks: runs each block once, however many runbooks hold it."""

    context: SuiteContext
    kube: Kube
    prometheus: PrometheusMetrics
    loki: LokiLogs
    cache: Path
    patience: float = PATIENCE
    done: set[str] = field(default_factory=set)

    async def values(self) -> Mapping[str, str]:
        """What stands for the placeholders: the backend's, of a pod that is ready now."""
        pods = await self.kube.ready_pods(SERVICE)
        assert pods, f"{SERVICE} has no pod that is ready"
        pod = pods[0]
        return {
            "NAMESPACE": self.context.namespace,
            "SERVICE": SERVICE,
            "POD": pod["metadata"]["name"],
            "NODE": pod["spec"]["nodeName"],
        }

    async def run(self, block: Block) -> None:
        """Run a block; raises AssertionError or EvidenceError with what the cluster says."""
        reasons = refused(block)
        assert not reasons, f"{reasons}: nothing was run"

        async def once() -> None:
            # Anew at each try: the pod may be gone that the values named.
            text = filled(block.text, dict(await self.values()))
            if text not in self.done:
                await {"promql": self.promql, "logql": self.logql, "sh": self.commands}[block.language](text)
                self.done.add(text)

        if not block.fault:
            await eventually(once, within=self.patience, every=1)

    async def promql(self, query: str) -> None:
        """Evaluate a query; it may be empty."""
        await self.prometheus.instant(query)

    async def logql(self, query: str) -> None:
        """Evaluate a query, of lines or of numbers; it may be empty."""
        now = time.time()
        if query.startswith("{"):
            await self.loki.lines(query, start=now - LOOKED_BACK, end=now, limit=5)
        else:
            await self.loki.instant(query, at=now)

    async def commands(self, text: str) -> None:
        """Run each line; all must end with 0."""
        assert self.context.kubectl, "the context of the suites names no kubectl: run them with ./nox -s e2e"
        access = ["--kubeconfig", self.context.kubeconfig, "--cache-dir", str(self.cache)]
        if self.context.kube_context:
            access += ["--context", self.context.kube_context]
        for line in text.splitlines():
            _, *words = shlex.split(line)
            with anyio.fail_after(COMMAND_SECONDS):
                # Without the proxies of the host, which the API server of kind is not behind.
                done = await anyio.run_process(
                    [self.context.kubectl, *access, *words],
                    check=False,
                    env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
                    stderr=subprocess.STDOUT,
                )
            assert done.returncode == 0, f"{line}: status {done.returncode}: {done.stdout.decode()[-500:]}"


@pytest.fixture(scope="session")
async def operator(
    context: SuiteContext,
    kube: Kube,
    prometheus: PrometheusMetrics,
    loki: LokiLogs,
    tmp_path_factory: pytest.TempPathFactory,
) -> Operator:
    """One for the session."""
    return Operator(context, kube, prometheus, loki, tmp_path_factory.mktemp("kubectl"))


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
async def test_a_runbooks_first_five_minutes_can_be_run(operator: Operator, path: Path) -> None:
    found = runnable(path.read_text(encoding="utf-8"))
    assert found, f"{path.name} has nothing to run"
    for block in found:
        await operator.run(block)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
async def test_what_only_reads_on_an_operators_page_can_be_run(operator: Operator, path: Path) -> None:
    for block in reading(path):
        await operator.run(block)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (Block("First five minutes", "promql", "sum by (a (up)"), "parse error"),
        (Block("First five minutes", "logql", '{namespace="$NAMESPACE"} | jsn'), "parse error"),
        (Block("First five minutes", "sh", "kubectl get nodes\nkubectl get no-such-kind"), "status 1"),
        (Block("First five minutes", "sh", "kubectl -n $NAMESPACE delete pod no-such-pod"), "may change something"),
    ],
    ids=["promql", "logql", "sh", "change"],
)
async def test_what_cannot_be_run_fails(operator: Operator, block: Block, expected: str) -> None:
    with pytest.raises(AssertionError, match=expected):
        await replace(operator, patience=2.0).run(block)

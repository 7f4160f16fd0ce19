"""A sixth service is a folder and a chart: dropped into a copy of the tree, it is built, installed and tested."""

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from tests.e2e.extension.tree import add_hello, copy_tree, require_only
from tests.e2e.kube import Kube
from tests.e2e.support import SCRAPED_WITHIN, eventually

from sluice.adapters.kubernetes import applied
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.domain import Evidence, Verdict, load
from sluice.steps.run_suites import SuiteContext
from sluice.steps.tidy_evidence import WORK_FOLDER

# Last, because it installs what it finds changed: what others look at must stay as it is.
pytestmark = [pytest.mark.anyio, pytest.mark.last]

ROOT = Path(__file__).parents[3]
# The one suite of the inner run: this suite never starts itself.
SUITE = "services"
# It takes pods and the database away, says nothing of hello, and ran a few minutes ago.
LEFT_OUT = "tests/e2e/services/test_leaving.py"
HELLO = "app.kubernetes.io/instance=hello"
RUN_WITHIN = 420.0
STOPPED_WITHIN = 30.0
KEPT = ("evidence.json", "verdict.json", "suites.log")
MONITORS = "apis/monitoring.coreos.com/v1/servicemonitors"
KINDS = (
    "apis/apps/v1/deployments",
    "apis/policy/v1/poddisruptionbudgets",
    "apis/networking.k8s.io/v1/networkpolicies",
    "apis/autoscaling/v2/horizontalpodautoscalers",
    "api/v1/services",
    "api/v1/configmaps",
    "api/v1/serviceaccounts",
)


@pytest.fixture
async def hello_removed(kube: Kube, prometheus: PrometheusMetrics) -> AsyncIterator[None]:
    """Leave the cluster as it was, whatever became of the run."""
    yield
    for kind in KINDS:
        await kube.delete_all(kind, HELLO)
    await kube.delete_all("api/v1/secrets", "owner=helm,name=hello")

    async def gone() -> None:
        pods = await kube.get(f"api/v1/namespaces/{kube.namespace}/pods", labelSelector="app.kubernetes.io/name=hello")
        assert not pods["items"], "a pod of hello is still there"
        targets = [one for one in await prometheus.targets() if one.labels.get("service") == "hello"]
        assert not targets, f"still scraped: {[one.url for one in targets]}"

    await eventually(gone, within=SCRAPED_WITHIN)
    # Last: a target that goes ends its series, one whose configuration goes leaves them for minutes.
    await kube.delete_all(MONITORS, HELLO)


@pytest.mark.usefixtures("hello_removed")
async def test_a_sixth_service_is_a_folder_and_a_chart(context: SuiteContext, tmp_path: Path) -> None:
    assert "hello" not in context.services, "this is the run that this test starts"
    tree, home = tmp_path / "tree", tmp_path / "runs"
    copy_tree(ROOT, tree)
    add_hello(tree)
    require_only(tree, SUITE)
    (tree / LEFT_OUT).unlink()
    remember(context)
    log = Path(context.evidence_dir) / "extension.log"
    status = await deliver(tree, home, context, log)
    run = home / "latest"
    for name in KEPT:
        if (run / name).is_file():
            shutil.copyfile(run / name, log.with_name(f"extension-{name}"))
    assert status == 0, f"the run with hello ended with {status}; see {log.name}:\n{tail(log)}"
    verdict, evidence = load(Verdict, run / "verdict.json"), load(Evidence, run / "evidence.json")
    assert verdict.level != "fail", f"{verdict.level}; see {log.name}"  # a slow machine's warning is not hello's
    assert {image.name for image in evidence.images} == {*context.services, "hello"}
    tested = [test for test in evidence.tests if "[hello" in test.id]
    assert len(tested) >= 5, f"{len(tested)} tests of hello"
    assert {test.outcome for test in evidence.tests} == {"passed"}


def remember(context: SuiteContext) -> None:
    """Let the inner run know what stands on the cluster: it is the last, and everything is mended."""
    memory = Path(context.evidence_dir) / WORK_FOLDER / applied.ASIDE
    if memory.is_file():
        shutil.copyfile(memory, applied.file_of(Path(context.kubeconfig)))


async def deliver(tree: Path, home: Path, context: SuiteContext, log: Path) -> int:
    """Run the pipeline of a tree on this cluster, which it keeps, and return its exit status."""
    words = ["e2e", "--reuse", "--keep", "--no-install", "--suite", SUITE]
    environment = {**os.environ, **context.settings, "SLUICE_RUN_FOLDER": str(home)}
    environment["PYTHONPATH"] = str(tree / "ci" / "src")
    with log.open("wb") as output:
        process = await anyio.open_process(
            [sys.executable, "-m", "sluice", *words], cwd=tree, env=environment, stdout=output, stderr=output
        )
        try:
            with anyio.fail_after(RUN_WITHIN):
                return await process.wait()
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)  # it stops its own suites, and leaves its evidence
                with anyio.CancelScope(shield=True), anyio.move_on_after(STOPPED_WITHIN):
                    await process.wait()
            with anyio.CancelScope(shield=True):
                await process.aclose()


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])

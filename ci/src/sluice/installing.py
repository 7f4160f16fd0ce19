"""What charts, fixtures and services are installed with: helm, kubectl, and waiting through the API server."""

from collections.abc import Sequence
from pathlib import Path

from sluice.adapters.helm.charts import Helm
from sluice.adapters.kubernetes.applied import ASIDE, Applied
from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.manifests import Manifests
from sluice.adapters.kubernetes.rollout import wait_rolled_out
from sluice.adapters.kubernetes.stuck import replace_stuck
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.run import Run
from sluice.settings import Settings
from sluice.steps.install_charts import Installer, values_in
from sluice.steps.tidy_evidence import WORK_FOLDER


def make_installer(
    root: Path, settings: Settings, run: Run, kubeconfig: Path, helm: Path, kubectl: Path, *, reuse: bool
) -> tuple[Installer, Manifests]:
    """Return the installer of a cluster, and the manifests that it goes through: these know the secrets made.

    With `reuse`, what stands on the cluster as it is wanted is left alone.
    """
    work = run.folder / WORK_FOLDER
    work.mkdir(exist_ok=True)

    async def rolled_out(namespace: str, *, expect: Sequence[str] = (), selector: str = "") -> None:
        async with connect(kubeconfig) as client:
            await wait_rolled_out(
                ApiWorkloads(client),
                [namespace],
                expect=expect,
                selector=selector,
                # The step's own deadline would tell nothing: this one is a little earlier and names the pod.
                deadline_seconds=settings.deadlines.charts * 0.8,
                on_change=run.say,
                help_along=lambda waiting: replace_stuck(client, waiting, run.say),
            )

    applied = Applied.take(kubeconfig, reuse=reuse, aside=work / ASIDE)
    manifests = Manifests(kubectl, kubeconfig, work, run.logs, applied)
    charts = Helm(helm, kubeconfig, root, work, run.logs, keep_current=applied.kept)
    return Installer(root, charts, manifests, rolled_out, values_in(root / "tests" / "e2e" / "values")), manifests

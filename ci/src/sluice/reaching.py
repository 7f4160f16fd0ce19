"""A target, reached with the credentials that its file names, for as long as it is needed."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.process import run as run_program
from sluice.bootstrap import Toolbox
from sluice.files import write_atomically
from sluice.promotion.model import Target
from sluice.release_tools import ReleaseTools
from sluice.run import Run, is_at_work
from sluice.supply import artifact
from sluice.target_tools import Programs, TargetTools


@asynccontextmanager
async def reach(box: Toolbox, home: Path, run: Run, target: Target, tools: ReleaseTools) -> AsyncIterator[TargetTools]:
    """Reach a target with the credentials that its file names; what is needed of them is gone at the end.

    Raises ClusterError where its cluster cannot be used.
    """
    for left in run.folder.parent.glob("*/work"):  # with credentials in it, of runs that were killed
        if not is_at_work(left.parent):
            shutil.rmtree(left, ignore_errors=True)
    helm, kubectl = await box.supply.get_all("helm", "kubectl")
    programs = Programs(artifact.program(helm), artifact.program(kubectl))
    work = run.folder / "work" / target.name  # its own: while one is reached, those that come first are asked
    try:
        kubeconfig = await _kubeconfig(box.root, work, target, programs.kubectl)
        async with connect(kubeconfig) as client:
            yield TargetTools(box, home, run, target, tools, programs, client, kubeconfig)
    finally:
        shutil.rmtree(work, ignore_errors=True)


async def _kubeconfig(root: Path, work: Path, target: Target, kubectl: Path) -> Path:
    """One file with the target's context only, which every program is given: a plug-in it names is asked as ever."""
    files = os.pathsep.join(str(path) for path in target.cluster.kubeconfig_files(root, os.environ))
    words = ["config", "view", "--raw", "--minify", "--flatten", "--context", target.cluster.context]
    done = await run_program(
        [kubectl, *words],
        deadline_seconds=30,
        env={"KUBECONFIG": files},
        what=f"reading the context {target.cluster.context} of {target.name}",
        next_command=f"./nox -s doctor -- --target {target.name}",
    )
    work.mkdir(parents=True, exist_ok=True)
    write_atomically(work / "kubeconfig", f"{done.stdout}\n".encode(), private=True)
    return work / "kubeconfig"

"""`sluice evidence`: what is left of a run that was killed becomes evidence, a verdict and a report."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import anyio
import typer

from sluice import dashboards
from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.bootstrap import kubeconfig
from sluice.domain import Evidence, Verdict, load
from sluice.entrypoints.console import answer, finish, home, progress, root, say, say_end, settings_of, show, shown
from sluice.errors import EvidenceError, SluiceError, in_a_line
from sluice.judging import Judge
from sluice.pipeline import SoFar, conclude
from sluice.policy import Policy, load_policy
from sluice.rebuild import RUN_FILE, Remains, rebuild
from sluice.report.terminal import failed_tests, steps_table, verdict_line, verdict_table
from sluice.run import Run
from sluice.settings import Settings
from sluice.standing import load_standing
from sluice.steps.evaluate_gate import evaluate_gate
from sluice.steps.tidy_evidence import OWN_FILES, WORK_FOLDER

_ANSWERS_WITHIN = 15.0


@dataclass(frozen=True)
class _Tools:
    """What concluding a run takes."""

    settings: Settings
    policy: Policy
    judge: Judge


def evidence(
    run: Annotated[Path | None, typer.Option("--run", help="the folder of a run, else the newest")] = None,
) -> None:
    """Gather what is left of a run that was killed: evidence.json, a verdict (fail) and a report.

    A run that is whole is left as it is, one that is still at work too. Exit status: 1, as for any run that failed; 0
    where there was nothing to do.
    """
    settings = settings_of()

    async def work() -> int:
        folder = (run or home(settings) / "latest").resolve()
        if not (folder / RUN_FILE).is_file() and not _is_whole(folder):
            raise EvidenceError(
                f"{folder} holds no run",
                seen="neither evidence.json nor run.json",
                expected="the folder of a run, such as .sluice/runs/<id>",
                next_command="ls .sluice/runs",
            )
        if _is_whole(folder):
            return _say_whole(folder)
        with progress() as shown_here:
            opened = Run(home(settings), shown_here, again=folder)
            if _is_whole(folder):  # by whoever held it until now
                return _say_whole(folder)
            found, verdict = await _finish(opened, settings)
        show(steps_table(found), verdict_table(verdict), failed_tests(found))
        answer(verdict=verdict)
        say_end(folder, found.failures, verdict_line(verdict))
        return 1 if verdict.level == "fail" else 0

    finish(work)


async def _finish(run: Run, settings: Settings) -> tuple[Evidence, Verdict]:
    remains = rebuild(run.folder)
    run.started, run.timings = remains.record.started, list(remains.timings)
    cluster, why_not = await _cluster_of(remains, settings)
    policy = load_policy(root() / "release" / "policy.toml")
    judge = Judge(
        settings,
        run,
        policy,
        kubeconfig=cluster,
        dashboards=root() / dashboards.FOLDER,
        suites=remains.record.suites,
        components=lambda: remains.components,
        secrets=tuple,
        ended=remains.ended,
    )
    judge.standing = load_standing(root(), home(settings), policy, now=run.started)
    written = _evidence_of(run.folder)
    if written:  # it was killed after that: what is measured stays measured
        verdict = evaluate_gate(policy, written)
        judge.write_report(written, verdict)
    else:
        so_far = SoFar(remains.source, remains.images, remains.cluster if cluster else None, remains.results)
        so_far.failures += [remains.failure, *([why_not] if why_not else [])]
        verdict = await conclude(run, _Tools(settings, policy, judge), so_far)
    shutil.rmtree(run.folder / WORK_FOLDER, ignore_errors=True)
    return load(Evidence, run.folder / "evidence.json"), verdict


async def _cluster_of(remains: Remains, settings: Settings) -> tuple[Path | None, str]:
    """The credentials of the run's cluster where it still answers, else why there is nobody to ask."""
    path = kubeconfig(settings)
    if not path.exists():
        return None, "its cluster is gone: logs and metrics are lost, secrets are masked by their names and shapes only"
    try:
        with anyio.fail_after(_ANSWERS_WITHIN):
            async with connect(path) as client:
                born = await ApiWorkloads(client).born()
    except (SluiceError, TimeoutError) as error:
        return None, f"its cluster does not answer: {in_a_line(error)}"
    if born > remains.ended:
        return None, f"its cluster is gone: that of the name {settings.cluster.name} was made after the run"
    return path, ""


def _evidence_of(folder: Path) -> Evidence | None:
    try:
        return load(Evidence, folder / "evidence.json")
    except EvidenceError:
        return None


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in OWN_FILES) and _evidence_of(folder) is not None


def _say_whole(folder: Path) -> int:
    say(f"{shown(folder)} is whole: it has evidence, verdict and report; nothing was changed")
    answer(evidence=shown(folder))
    return 0

"""`sluice deploy`, `rollback`, `status` and `history`: what runs where, and how it came there."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from sluice.bootstrap import Options, Toolbox
from sluice.deploying import Deployer, Outcome
from sluice.entrypoints.console import answer, finish, home, progress, root, say, settings_of, show, shown
from sluice.errors import SluiceError, TargetError, in_a_line
from sluice.looking import Status, history_of, status_of
from sluice.pipeline import leaves
from sluice.ports import Progress
from sluice.promotion.model import Target
from sluice.promotion.targets import FOLDER, load_targets, target_of
from sluice.report.promotion import end_lines, history_table, plan_lines, status_table
from sluice.run import Run
from sluice.settings import Settings

T = TypeVar("T")
HOME = "promotions"  # below the folder of runs
Cloud = Annotated[str, typer.Option("--cloud", help="the target of this cloud: oke, aks, gke or local")]
Named = Annotated[str, typer.Option("--target", help="the target of this name, as its file in targets/ is called")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="change nothing: say what would change, and what is against it")
]


def deploy(
    cloud: Cloud = "",
    target: Named = "",
    release: Annotated[str, typer.Option("--release", help="its id; without one the newest")] = "",
    dry_run: DryRun = False,
    full: Annotated[bool, typer.Option("--full", help="with --dry-run: every line that would change")] = False,
) -> None:
    """Promote a **release** to a target: check, copy by digest, install, verify; else back to what was verified before.

    Checked before anything is changed: signature, verdict, SBOM and provenance of every image, the target's windows and
    freezes, the targets that come first, approvals. Killed at any point, the same command goes on where it was.
    Exit status: 0 verified, 1 rolled back or failed (or, with --dry-run, refused), 2 it could not be tried.
    """

    async def work(deployer: Deployer, to: Target) -> Outcome:
        return await deployer.deploy(to, release, dry_run=dry_run)

    _finish(cloud, target, work, full=full)


def rollback(
    cloud: Cloud = "",
    target: Named = "",
    release: Annotated[
        str, typer.Option("--to", help="a release that was verified there; without it the one before")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Go back to the release that was **verified** before, out of the target's own registry; or undo a half promotion.

    No window and no freeze is against it. The release is held to its signature and verified as by a deploy.
    Exit status: 0 it is verified, or undone; 1 it is not (or, with --dry-run, refused), 2 it could not be tried.
    """

    async def work(deployer: Deployer, to: Target) -> Outcome:
        return await deployer.rollback(to, release, dry_run=dry_run)

    _finish(cloud, target, work, full=False)


def _finish(cloud: str, name: str, ask: Callable[[Deployer, Target], Awaitable[Outcome]], *, full: bool) -> None:
    settings = settings_of()

    async def work() -> int:
        targets = load_targets(root())
        to = chosen(targets, cloud, name)
        with progress() as shown_here:
            run = Run(home_of(settings), shown_here)
            outcome = await ask(Deployer(run, Toolbox(root(), settings, run, Options()), home(settings), targets), to)
        show(*plan_lines(outcome.plan, full=full))
        answer(target=to.name, plan=outcome.plan, against=outcome.against, end=outcome.end)
        if outcome.end is None:
            say(*(f"✗ {reason}" for reason in outcome.against), "nothing was changed")
            return 1 if outcome.against else 0
        say(*end_lines(outcome.end, to.name), f"evidence: {shown(run.folder)}")
        answer(evidence=shown(run.folder))
        return 0 if outcome.end.as_asked else 1

    finish(work)


def status(cloud: Cloud = "", target: Named = "") -> None:
    """What runs on each **target**: release, since when, verdict, budget left, and what differs from what was promoted.

    Without --cloud or --target: all of them. Exit status 1 where something differs or a target could not be asked.
    """
    settings = settings_of()

    async def work() -> int:
        targets = load_targets(root())
        asked = [chosen(targets, cloud, target)] if cloud or target else list(targets.values())
        rows: list[Status | tuple[str, str]] = []
        worst = 0
        with progress() as shown_here:
            for to in asked:
                try:
                    found = await asked_of(to, settings, shown_here, status_of, seconds=120)
                    worst = max(worst, int(bool(found.drift or found.under_way)))
                    rows.append(found)
                except* SluiceError as group:
                    worst = 1
                    rows.append((to.name, "; ".join(in_a_line(error) for error in leaves(group))))
        show(status_table(rows))
        answer(targets=[{"target": row[0], "error": row[1]} if isinstance(row, tuple) else row for row in rows])
        return worst

    finish(work)


def history(cloud: Cloud = "", target: Named = "") -> None:
    """What was **promoted** to a target, when, by whom, and what came of it; its ledger's chain is checked."""
    settings = settings_of()

    async def work() -> int:
        to = chosen(load_targets(root()), cloud, target)
        with progress() as shown_here:
            run = Run(home_of(settings), shown_here)
            entries = await history_of(Toolbox(root(), settings, run, Options()), home(settings), run, to)
        show(history_table(entries, to.name))
        answer(target=to.name, entries=entries)
        return 0

    finish(work)


def chosen(targets: dict[str, Target], cloud: str, name: str) -> Target:
    """Return the target that the command line names. Raises TargetError."""
    if cloud and name and cloud != name:
        raise TargetError(
            "the command line",
            [f"--cloud {cloud} and --target {name}"],
            expected="one of them",
            next_command=f"ls {FOLDER}",
        )
    if not cloud and not name:
        raise TargetError(
            "the command line",
            ["no target is named"],
            expected=f"--cloud or --target with one of {', '.join(targets) or 'targets/*.toml'}",
            next_command="./nox -s deploy -- --help",
        )
    return target_of(targets, name or cloud)


async def asked_of(
    to: Target,
    settings: Settings,
    progress: Progress,
    ask: Callable[[Toolbox, Path, Run, Target], Awaitable[T]],
    *,
    seconds: float = 600,
) -> T:
    """Return what a target says to a question, which is a step of a run of its own and has so many seconds."""
    run = Run(home_of(settings), progress)
    work = partial(ask, Toolbox(root(), settings, run, Options()), home(settings), run, to)
    return await run.step(f"ask {to.name}", work, deadline_seconds=seconds)


def home_of(settings: Settings) -> Path:
    """Beside the runs: what it leaves is what a promotion did, and no evidence for the gate."""
    return home(settings) / HOME

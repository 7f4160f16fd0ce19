"""`sluice failover`: the other region becomes the active one."""

import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sluice.bootstrap import Options, Toolbox
from sluice.cluster_lock import clusters_held
from sluice.entrypoints.console import Mode, answer, finish, home, progress, root, say, settings_of, show, shown
from sluice.errors import SettingsError
from sluice.failing_over import Failover, Switch
from sluice.failover_load import Load
from sluice.region_tools import RegionTools
from sluice.regions import page
from sluice.regions.figures import Figures, against
from sluice.regions.model import REGIONS, cluster_of, other
from sluice.run import Run


def failover(
    to: Annotated[str, typer.Option("--to", metavar="REGION", help="the region that is to be active: east or west")],
    force: Annotated[
        bool,
        typer.Option("--force", help="go although writes or events may be lost, or nobody knows; it is recorded"),
    ] = False,
    kill_active: Annotated[
        bool,
        typer.Option("--kill-active", help="kill the active region's node first, as a region is lost; needs --force"),
    ] = False,
    no_load: Annotated[
        bool, typer.Option("--no-load", help="without a client that writes, and without figures")
    ] = False,
    again: Annotated[
        Path | None,
        typer.Option("--again", metavar="DIR", exists=True, file_okay=False, help="go on with one that was killed"),
    ] = None,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="with --again: back to the old side instead, while nothing was promoted"),
    ] = False,
    supply: Annotated[Mode | None, typer.Option("--supply", help="where components come from")] = None,
    no_install: Annotated[
        bool, typer.Option("--no-install", help="never install or start a container engine on this host")
    ] = False,
) -> None:
    """A **switch**: the region that stands by becomes the active one, and a client that writes meanwhile measures it.

    Refuses with every reason where that region is not ready; `./nox -s regions -- up` raises both, and makes a standby
    of the old side afterwards. The figures go to the run's folder and into docs/failover.md.
    Exit status: 0 where it holds, 1 where writes were lost that should not be, 2 where it was refused or is not done.
    """
    settings = settings_of(supply)

    async def work() -> int:
        if kill_active and (not force or no_load):
            raise SettingsError(
                "the command line",
                ["--kill-active: what a lost region had and the other lacks is lost, and has to be counted"],
                expected="--kill-active --force, and a client that writes",
                next_command=f"./nox -s failover -- --to {to} --kill-active --force",
            )
        if undo and not again:
            raise SettingsError(
                "the command line",
                ["--undo: of which switch?"],
                expected="--undo --again DIR",
                next_command="./nox -s regions -- status",
            )
        names = [cluster_of(settings.cluster.name, region) for region in REGIONS]
        with clusters_held(settings, *names, command="failover"), progress() as shown_here:
            here = home(settings)
            run = Run(here / "failovers", shown_here, again=again.resolve() if again else None)
            box = Toolbox(root(), settings, run, Options(keep=True, reuse=True, may_install=not no_install))
            tools = RegionTools(here, settings, run, box)
            load = None if no_load else Load(tools, root())
            if undo:
                return await _undone(tools, Failover(tools, to, force=force))
            with run.whole("failover"):
                state, figures = await _switch(tools, Failover(tools, to, force=force), load, kill=kill_active)
        return _tell(state, figures, run.folder)

    finish(work)


async def _switch(
    tools: RegionTools, failover: Failover, load: Load | None, *, kill: bool
) -> tuple[Switch, Figures | None]:
    """Go through it, from wherever it was left."""
    run, state = tools.run, failover.state()
    if load:
        load.check()
    source = await run.step("resolve source", tools.box.resolve_source, deadline_seconds=60)
    async with AsyncExitStack() as client:
        if not state.epoch:
            failover.check_name()
        if load:
            await client.enter_async_context(load.writing(source))
        if not state.epoch:
            if load:
                await run.step("write marks", load.begun, deadline_seconds=180)
            reasons = await failover.check(source)
            began = time.time()
            if kill:
                lost = partial(tools.kill, other(state.target))
                await run.step(f"lose {other(state.target)}", lost, deadline_seconds=60)
                reasons = await failover.check(source, lost=True)
            state = failover.decide(reasons, began=began)
        state = await failover.go(source, state)
        if load:
            await run.step("go on under load", partial(load.went_on, state), deadline_seconds=180)
    return state, await load.figures(source, state) if load else None


async def _undone(tools: RegionTools, failover: Failover) -> int:
    """Go back, and say so."""
    source = await tools.run.step("resolve source", tools.box.resolve_source, deadline_seconds=60)
    work = partial(failover.undo, source, failover.state())
    active = await tools.run.step("undo the switch", work, deadline_seconds=4 * tools.settings.deadlines.charts)
    say(f"{active.region} is active again (epoch {active.epoch})")
    answer(active=active)
    return 0


def _tell(state: Switch, figures: Figures | None, folder: Path) -> int:
    """Say what came of it; returns the exit status."""
    old = state.source
    next_one = f"next: ./nox -s regions -- up makes a standby of {old}; then --to {old} goes back"
    how = f"{state.target} is active (epoch {state.epoch})" + (
        f"; {old} could not be fenced: {state.unreachable}" if state.unreachable else ""
    )
    if figures is None:
        say(how, next_one)
        answer(switch=state)
        return 0
    wrong = against(figures)
    page.write(root(), figures)
    show(page.section(figures))
    say(how, f"failover: {'; '.join(wrong) if wrong else figures.loss}", f"figures: {shown(folder)}", next_one)
    answer(switch=state, figures=figures, against=wrong)
    return 1 if wrong else 0

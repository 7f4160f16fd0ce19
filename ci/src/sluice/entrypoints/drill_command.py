"""`sluice drill`: the disaster, on purpose."""

from pathlib import Path
from typing import Annotated

import typer

from sluice.bootstrap import Options, Toolbox
from sluice.cluster_lock import clusters_held
from sluice.drill import Drill
from sluice.entrypoints.console import Mode, answer, finish, home, progress, root, say, settings_of, show, shown
from sluice.recovery import page
from sluice.recovery.figures import against
from sluice.run import Run


def drill(
    again: Annotated[
        Path | None,
        typer.Option(
            "--again",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="go on with the newest one, killed after its disaster",
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave the restored cluster running afterwards")] = False,
    supply: Annotated[Mode | None, typer.Option("--supply", help="where components come from")] = None,
    no_install: Annotated[
        bool, typer.Option("--no-install", help="never install or start a container engine on this host")
    ] = False,
) -> None:
    """The disaster drill: a cluster is written to, destroyed, raised anew out of its back-ups, and compared.

    A cluster of ours that is kept is replaced. The figures go to the run's folder and into docs/disaster-recovery.md.
    Exit status: 0 where everything came back within the limits, 1 where not, 2 where it could not be tried.
    """
    settings = settings_of(supply)

    async def work() -> int:
        with clusters_held(settings, command="drill"), progress() as shown_here:
            here = home(settings)
            run = Run(here / "drills", shown_here, again=again.resolve() if again else None)
            options = Options(keep=keep, may_install=not no_install)
            boxes: list[Toolbox] = []

            def make_box() -> Toolbox:
                boxes.append(Toolbox(root(), settings, run, options))
                return boxes[-1]

            try:
                with run.whole("drill"):
                    make_box().check_disk()
                    figures = await Drill(root(), settings, run, make_box).whole()
            finally:
                await boxes[-1].leave_cluster()
        wrong = against(figures)
        page.write(root(), figures)
        show(page.section(figures))
        say(f"drill: {'; '.join(wrong) if wrong else 'everything came back'}", f"figures: {shown(run.folder)}")
        answer(figures=figures, against=wrong)
        return 1 if wrong else 0

    finish(work)

"""`sluice target`: the local target, up and down."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sluice.bootstrap import Options, Toolbox
from sluice.cluster_lock import clusters_held
from sluice.entrypoints.console import Mode, answer, finish, home, progress, root, say, settings_of, shown
from sluice.local_target import LocalTarget
from sluice.run import Run
from sluice.settings import Settings


def target(
    action: Annotated[Literal["up", "down"], typer.Argument(help="raise it, or remove it with all that it holds")],
    new: Annotated[bool, typer.Option("--new", help="up: replace one that is there")] = False,
    supply: Annotated[Mode | None, typer.Option("--supply", help="where components come from")] = None,
    no_install: Annotated[
        bool, typer.Option("--no-install", help="never install or start a container engine on this host")
    ] = False,
) -> None:
    """The **local target**: a second kind cluster that stands for a cloud's, with a registry that asks for credentials.

    targets/local.toml names it. It has a database, a broker and Secrets, and nothing deployed:
    `./nox -s deploy -- --cloud local` does that. `up` may be run again at any time.
    """
    settings = settings_of(supply)

    async def work() -> int:
        held = clusters_held(settings, settings.cluster.target_name, command=f"target {action}")
        with held, progress() as shown_here:
            run = Run(_home(settings), shown_here)
            box = Toolbox(root(), settings, run, Options(reuse=not new, may_install=not no_install))
            local = LocalTarget(home(settings), settings, run, box)
            if action == "down":
                said = await local.down()
            else:
                box.check_disk(settings.cluster.target_name)
                await local.up(new=new)
                said = [
                    f"the local target is up: kubectl --kubeconfig {shown(local.folder / 'kubeconfig')} get pods",
                    "next: ./nox -s deploy -- --cloud local --dry-run",
                ]
        say(*(said or ["there is no local target"]))
        answer(action=action)
        return 0

    finish(work)


def _home(settings: Settings) -> Path:
    """Beside the runs: what it leaves is logs, and no evidence to judge."""
    return home(settings) / "target-runs"

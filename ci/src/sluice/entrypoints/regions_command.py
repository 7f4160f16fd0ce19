"""`sluice regions`: two clusters as two regions, up, down, and how they are."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from sluice.bootstrap import Options, Toolbox
from sluice.cluster_lock import clusters_held
from sluice.entrypoints.console import Mode, answer, finish, home, progress, root, say, settings_of, show
from sluice.raising_regions import Regions
from sluice.region_tools import RegionTools
from sluice.regions.active import Active
from sluice.regions.model import REGIONS, Seen, cluster_of, other
from sluice.run import Run
from sluice.settings import Settings


def regions(
    action: Annotated[
        Literal["up", "down", "status"],
        typer.Argument(help="raise or mend both; remove both with all that they hold; ask both"),
    ],
    supply: Annotated[Mode | None, typer.Option("--supply", help="where components come from")] = None,
    no_install: Annotated[
        bool, typer.Option("--no-install", help="never install or start a container engine on this host")
    ] = False,
) -> None:
    """**Two regions**: kind clusters of which one is active and the other follows it, for `./nox -s failover`.

    They have the services, a database and a broker, and neither monitoring nor logging; the one that stands by has its
    services without pods. `up` may be run again at any time: after a switch it makes a standby of the old side.
    """
    settings = settings_of(supply)

    async def work() -> int:
        names = [cluster_of(settings.cluster.name, region) for region in REGIONS] if action != "status" else []
        held = clusters_held(settings, *names, command=f"regions {action}") if names else nullcontext()
        with held, progress() as shown_here:
            run = Run(_home(settings), shown_here)
            box = Toolbox(root(), settings, run, Options(keep=True, reuse=True, may_install=not no_install))
            both = Regions(RegionTools(home(settings), settings, run, box))
            if action == "down":
                said = await both.down() or ["there are no regions"]
            elif action == "up":
                for name in names:
                    box.check_disk(name)
                now = await both.up()
                said = [
                    f"{now.region} is active (epoch {now.epoch}), {other(now.region)} follows it",
                    f"next: ./nox -s failover -- --to {other(now.region)}",
                ]
                answer(active=now)
            else:
                active, seen = await both.status()
                show(table(active, seen))
                said = [f"{active.region} is active (epoch {active.epoch})" if active else "no region is active"]
                answer(active=active, regions=seen)
        say(*said)
        answer(action=action)
        return 0

    finish(work)


def table(active: Active | None, seen: list[Seen]) -> Table:
    """Return what each region is, as it was found."""
    made = Table("region", "role", "epoch", "database", "release", "not well")
    for one in seen:
        name = f"{one.name} (active)" if active and active.region == one.name else one.name
        if one.unreachable:
            made.add_row(name, "–", "–", "–", one.release[:19], f"cannot be asked: {one.unreachable}")
            continue
        role, epoch = (one.marker.role, str(one.marker.epoch)) if one.marker else ("–", "–")
        database = "no answer"
        if found := one.database:
            kind = ("follows" if found.streaming else "waits for the other") if found.standby else "writes"
            database = f"{kind}, at {found.at}"
        made.add_row(name, role, epoch, database, one.release[:19] or "none", "; ".join(one.trouble))
    return made


def _home(settings: Settings) -> Path:
    """Beside the runs: what it leaves is logs, and no evidence to judge."""
    return home(settings) / "region-runs"

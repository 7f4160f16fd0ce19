"""`sluice delivery`: DORA's figures of the targets."""

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sluice.delivery.exposition import exposition
from sluice.delivery.figures import DAY, Figures
from sluice.entrypoints.console import answer, finish, home, progress, root, say, settings_of, show, shown
from sluice.entrypoints.deploy_commands import asked_of
from sluice.errors import SluiceError, TargetError, in_a_line
from sluice.files import write_atomically
from sluice.operating import delivery_of
from sluice.pipeline import leaves
from sluice.promotion.targets import FOLDER as TARGETS
from sluice.promotion.targets import load_targets, target_of
from sluice.report.delivery import delivery_sheet, delivery_table, remarks
from sluice.report.sheet import printed, render

FOLDER = "delivery"  # below the folder of runs


def delivery(
    target: Annotated[
        list[str] | None, typer.Option("--target", help="the target of this name; may be given again; else all")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="up to now")] = 90,
    metrics: Annotated[
        Path | None,
        typer.Option("--metrics", help="also write them to this file as OpenMetrics, as node-exporter's textfiles are"),
    ] = None,
) -> None:
    """**Delivery figures** after DORA: lead time, deployment frequency, change failure rate, recovery time.

    Of the targets' promotion ledgers, and of the commits that this tree's git has between their releases. Writes a page
    with plots below .sluice/delivery. What is not known is said, and is no 0.
    Exit status: 0 all were asked, 1 a target could not be.
    """
    settings = settings_of()

    async def work() -> int:
        targets = load_targets(root())
        asked = [target_of(targets, name) for name in dict.fromkeys(target or targets)]
        if not asked:
            raise TargetError(
                "the command line", ["there is no target"], expected="a file in targets/", next_command=f"ls {TARGETS}"
            )
        until = time.time()
        ask = partial(delivery_of, since=until - days * DAY, until=until)
        found: list[Figures] = []
        failed: dict[str, str] = {}
        with progress() as shown_here:
            for to in asked:
                try:
                    found.append(await asked_of(to, settings, shown_here, ask))
                except* SluiceError as group:
                    failed[to.name] = "; ".join(in_a_line(error) for error in leaves(group))
        if metrics:  # of all of them, or of none: a target that is not in it would look as if it had been given up
            if not failed:
                write_atomically(metrics, exposition(found))
                say(f"metrics: {shown(metrics)}")
            else:
                say(f"metrics: {shown(metrics)} was left as it is, since not every target could be asked")
        if found:
            path = home(settings) / FOLDER / "delivery.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, render(delivery_sheet(found)).encode(errors="replace"))
            show(printed(delivery_table(found)))
            say(*remarks(found), f"page: {shown(path)}")
        say(*(f"✗ {name} could not be asked: {why}" for name, why in failed.items()))
        answer(targets=found, failed=failed, days=days)
        return 1 if failed else 0

    finish(work)

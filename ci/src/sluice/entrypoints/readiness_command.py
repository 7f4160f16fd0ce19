"""`sluice readiness`: what a target lacks for production, as a score, JSON and a page."""

from typing import Annotated

import typer

from sluice.bootstrap import Options, Toolbox
from sluice.domain import dump
from sluice.entrypoints.console import answer, finish, home, progress, root, say, settings_of, show, shown
from sluice.entrypoints.deploy_commands import Cloud, Named, chosen
from sluice.files import write_atomically
from sluice.promotion.readiness_file import FOLDER, file_of
from sluice.promotion.targets import load_targets
from sluice.readying import readiness_of
from sluice.report.readiness import against_table, people_table, sections_table, sheet_of
from sluice.report.sheet import printed, render
from sluice.run import Run


def readiness(
    cloud: Cloud = "",
    target: Named = "",
    offline: Annotated[
        bool,
        typer.Option("--offline", help="tree and charts only: no cluster is asked, what needs one is not checked"),
    ] = False,
) -> None:
    """What a **target** lacks for production, checked: docs/production-readiness.md lists the items, and why.

    Nothing is changed. Charts are rendered with the target's values; cluster, Prometheus, Alertmanager, Loki and ledger
    are asked. What people confirm stands in release/readiness.toml. What could not be checked does not count. Writes
    readiness.json and readiness.html below .sluice/readiness. Exit status: 0 the score is what the target's file
    asks for (`[readiness]`), 1 it is not, 2 it could not be tried.
    """
    settings = settings_of()

    async def work() -> int:
        targets = load_targets(root())
        to = chosen(targets, cloud, target)
        with progress() as shown_here:
            run = Run(home(settings) / FOLDER, shown_here)
            box = Toolbox(root(), settings, run, Options())
            found = await readiness_of(box, home(settings), run, to, targets, offline=offline)
            page, data = render(sheet_of(found)).encode(), dump(found)
            write_atomically(run.folder / "readiness.html", page)
            write_atomically(run.folder / "readiness.json", data)
            if not offline:  # a part of it is no score that a deploy could go by
                write_atomically(file_of(home(settings), to.name), data)
        show(printed(people_table(found)), printed(against_table(found)), printed(sections_table(found)))
        asked = f"{found.required:g} are asked for" if found.required else "none are asked for"
        sign = "✗" if not found.enough else "✓" if found.required else "–"
        met = sum(item.counts for item in found.items)
        say(f"{sign} {to.name}: {found.score:g} of 100 points, {asked}; {met} of {len(found.items)} items are met")
        unchecked = sum(item.state == "unchecked" for item in found.items)
        if unchecked:
            say(f"  {unchecked} could not be checked: {', '.join(found.missing) or 'see the page'}")
        say(f"page: {shown(run.folder / 'readiness.html')}")
        answer(readiness=found, page=shown(run.folder / "readiness.html"))
        return 0 if found.enough else 1

    finish(work)

"""`sluice init`: a project of one's own, and a newer copy of Sluice's part in it."""

from pathlib import Path
from typing import Annotated

import typer

from sluice import adopting
from sluice.entrypoints.console import answer, finish, root, say, show
from sluice.errors import SettingsError
from sluice.steps.resolve_source import resolve_source


def init(
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="the project's folder: empty, or not there yet")],
    service: Annotated[
        str, typer.Option("--service", help=f"what its service is called, else {adopting.SERVICE}")
    ] = "",
    update: Annotated[
        bool, typer.Option("--update", help="bring an existing project's copy of Sluice to this tree's")
    ] = False,
) -> None:
    """Write a **project** for those who adopt Sluice: one service, its chart, policy, suites and workflow.

    It holds a copy of Sluice's part, listed in sluice.lock.json; with --update what its owner did not change of that is
    replaced, and what they did is left, with the newer file beside it as FILE.new. Their own files are never touched.
    """

    async def work() -> int:
        if update and service:
            raise SettingsError(
                "the command line",
                ["--service names the service of a new project, and --update has one"],
                expected="one of the two",
                next_command=f"./nox -s init -- --into {into} --update",
            )
        source = await resolve_source(root())
        revision = source.revision + ("-dirty" if source.dirty else "")
        if update:
            _told(into, adopting.update(root(), into, revision), revision)
            return 0
        name = service or adopting.SERVICE
        count = adopting.begin(root(), into, name, revision)
        say(f"{into}: the service {name}, and {count} files of Sluice {revision[:12]}")
        show(f"next: cd {into} && git init && git add -A && git commit -m 'Begin with Sluice'")
        show("then: ./nox -s tests, ./nox -s e2e")
        answer(folder=into, service=name, copied=count, revision=revision)
        return 0

    finish(work)


def _told(into: Path, done: adopting.Updated, revision: str) -> None:
    show(*(f"written  {name}" for name in done.written), *(f"removed  {name}" for name in done.removed))
    for name in done.left:
        say(f"yours    {name}: Sluice's is beside it; take over what you want of {name}.new and delete that")
    for name in done.orphaned:
        say(f"yours    {name}: Sluice has it no more")
    left = len(done.left) + len(done.orphaned)
    say(f"{into}: Sluice {revision[:12]}; {len(done.written)} written, {len(done.removed)} removed, {left} left to you")
    answer(folder=into, revision=revision, changed=done)

"""`sluice incident`: what happened in a stretch of time, drafted for those who write it up."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sluice.domain import dump
from sluice.entrypoints.console import answer, finish, home, progress, root, say, settings_of, show, shown
from sluice.entrypoints.deploy_commands import Cloud, Named, asked_of, chosen
from sluice.errors import SettingsError
from sluice.files import write_atomically
from sluice.incident.draft import draft, read_template
from sluice.incident.model import Incident
from sluice.incident.window import Window, window
from sluice.masking import masker
from sluice.operating import incident_of
from sluice.promotion.targets import load_targets
from sluice.report.incident import timeline_table
from sluice.report.sheet import printed
from sluice.steps.read_incident import read_incident, read_run

FOLDER = "incidents"  # below the folder of runs


def incident(
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="with its zone (RFC 3339), such as 2026-11-07T14:00:00Z")
    ] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="the same; at most 7 days later")] = "",
    cloud: Cloud = "",
    target: Named = "",
    run: Annotated[
        Path | None, typer.Option("--run", help="of this run's folder alone, with nobody to ask; else of a target")
    ] = None,
) -> None:
    """Draft the timeline of an **incident**: alerts, promotions, events, restarts, log spikes and budgets, in order.

    Asks the target's Prometheus, Loki, Alertmanager, API server and ledger; who did not answer is named in the draft.
    With --run, of what that run left; its whole time unless --from and --to say which. Writes incident.md, from
    docs/incidents/template.md, and incident.json below .sluice/incidents. Summary, impact, contributing factors and
    action items are left to people. Secrets are masked.
    """
    settings = settings_of()

    async def work() -> int:
        now = time.time()
        if run is not None:
            found = _of_run(run, begin, end, cloud or target, now)
            template = read_template(root())
        else:
            when = window(begin, end, now=now)
            to = chosen(load_targets(root()), cloud, target)
            template = read_template(root())  # before anybody is asked
            with progress() as shown_here:
                found = await asked_of(to, settings, shown_here, partial(incident_of, when=when))
        folder = home(settings) / FOLDER / _name(found)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "incident.md", draft(template, found).encode(errors="replace"))
        write_atomically(folder / "incident.json", dump(found))
        show(printed(timeline_table(found)))
        say(
            f"{len(found.timeline)} things happened; {len(found.missing)} could not be asked",
            f"draft: {shown(folder / 'incident.md')}",
        )
        answer(incident=asdict(found), draft=shown(folder / "incident.md"))
        return 0

    finish(work)


def _of_run(run: Path, begin: str, end: str, target: str, now: float) -> Incident:
    if target:
        raise SettingsError(
            "the command line",
            [f"--run {run} and the target {target}"],
            expected="one of them",
            next_command="./nox -s incident -- --help",
        )
    folder = run.resolve()
    evidence = read_run(folder)
    when = window(begin, end, now=now, otherwise=Window(evidence.started, evidence.ended))
    return read_incident(folder, evidence, when, now=now, mask=masker())


def _name(found: Incident) -> str:
    begin = datetime.fromtimestamp(found.start, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{begin}-{found.of.replace(' ', '-')}"

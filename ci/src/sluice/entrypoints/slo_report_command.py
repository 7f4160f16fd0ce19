"""`sluice slo-report`: a month of the service level objectives as a page."""

import time
from functools import partial
from typing import Annotated

import typer

from sluice.budgets.month import SloReport, span
from sluice.budgets.stages import load_budget_policy
from sluice.domain import dump
from sluice.entrypoints.console import answer, finish, home, progress, root, say, settings_of, show, shown
from sluice.entrypoints.deploy_commands import Cloud, Named, asked_of, chosen
from sluice.files import write_atomically
from sluice.operating import month_on
from sluice.policy import load_policy
from sluice.promotion.targets import load_targets
from sluice.report.monthly import level, monthly_sheet, objectives_table
from sluice.report.sheet import printed, render

FOLDER = "slo-reports"  # below the folder of runs


def slo_report(
    cloud: Cloud = "",
    target: Named = "",
    month: Annotated[str, typer.Option("--month", help="in UTC, such as 2026-11; without it this one, so far")] = "",
) -> None:
    """A month of the **service level objectives** on a target: attained, budget spent and left, burn, worst days.

    As one HTML page and as JSON below .sluice/slo-reports, from what the target's Prometheus has recorded. What it has
    nothing of is shown as not covered, never as good. Shows which stage of release/error-budget.toml each is in.
    Exit status: 0 every objective was kept, 1 one was not or is in the last stage, 2 it could not be asked.
    """
    settings = settings_of()

    async def work() -> int:
        when = span(month, now=time.time())
        policy = load_budget_policy(root(), load_policy(root() / "release" / "policy.toml"))
        to = chosen(load_targets(root()), cloud, target)
        with progress() as shown_here:
            found = await asked_of(to, settings, shown_here, partial(month_on, when=when, policy=policy))
        sheet = monthly_sheet(to.name, found, when, policy, now=time.time())
        folder = home(settings) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{when.name}-{to.name}.html"
        write_atomically(path, render(sheet).encode(errors="replace"))
        write_atomically(path.with_suffix(".json"), dump(SloReport("sluice.slo-report/v1", to.name, when, found)))
        show(printed(objectives_table(found, policy)))
        say(*sheet.lines, f"report: {shown(path)}")
        answer(target=to.name, month=when, objectives=found, report=shown(path))
        return 1 if "fail" in [level(one, policy) for one in found] else 0

    finish(work)

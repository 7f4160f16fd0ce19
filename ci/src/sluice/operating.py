"""incident, slo-report and delivery: what those who operate a target ask of it. Nothing on it is changed."""

import subprocess
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio

from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.bootstrap import Toolbox
from sluice.budgets.month import SloMonth, Span
from sluice.budgets.stages import BudgetPolicy
from sluice.delivery.deployments import Deployment, deployments
from sluice.delivery.figures import Commits, Figures, figures
from sluice.errors import ClusterError, SluiceError, in_a_line
from sluice.incident.model import Incident, Missing
from sluice.incident.window import Window
from sluice.masking import masker
from sluice.pipeline import leaves
from sluice.ports import ClusterEvent
from sluice.promotion.ledger import Entry, unfinished
from sluice.promotion.model import Target
from sluice.reaching import reach
from sluice.release_tools import release_tools
from sluice.run import Run, side_by_side
from sluice.slo.load import load_slos
from sluice.steps.bundle import FOLDER
from sluice.steps.collect_incident import Witnesses, collect_incident, with_missing
from sluice.steps.collect_month import collect_month
from sluice.steps.incident_events import events_of
from sluice.target_tools import TargetTools

_GIT_SECONDS = 30


async def incident_of(box: Toolbox, home: Path, run: Run, target: Target, when: Window) -> Incident:
    """Return what happened on a target, with its secrets masked. Raises ClusterError where it cannot be reached."""
    async with reach(box, home, run, target, await release_tools(box, run)) as there:
        unmasked: list[Missing] = []
        secrets: list[str] = []
        try:
            secrets = await there.secrets()
        except ClusterError as error:
            why = f"they are masked by their names and shapes only: {in_a_line(error)}"
            unmasked.append(Missing("what is secret on the target", why))
        found = await collect_incident(
            Witnesses(
                metrics=there.metrics(),
                logs=there.logs(),
                cluster=ApiWorkloads(there.client),
                alerting=there.alertmanager(),
                ledger=there.ledger.read,
                kept=partial(_kept_events, run.folder.parent),
            ),
            when,
            of=target.name,
            namespace=target.cluster.services,
            now=time.time(),
            mask=masker(secrets),
        )
        return with_missing(found, unmasked)


def _kept_events(runs: Path, entries: Sequence[Entry]) -> list[ClusterEvent]:
    """The events that this host's promotions to the target wrote down when they failed."""
    found: list[ClusterEvent] = []
    for promotion in dict.fromkeys(one.promotion for one in entries):
        path = runs / promotion / FOLDER / "events.txt"
        if path.is_file():
            found += events_of(path.read_text(encoding="utf-8", errors="replace"))
    return found


async def month_on(
    box: Toolbox, home: Path, run: Run, target: Target, when: Span, policy: BudgetPolicy
) -> tuple[SloMonth, ...]:
    """Return what became of each SLO of the tree in a month on a target.

    Raises SloError for mistakes in services/*/slo.yaml, ClusterError and EvidenceError where nobody answers.
    """
    slos = load_slos(box.root)
    async with reach(box, home, run, target, await release_tools(box, run)) as there:
        return await collect_month(there.metrics(), slos, policy, when, namespace=target.cluster.services)


async def delivery_of(box: Toolbox, home: Path, run: Run, target: Target, *, since: float, until: float) -> Figures:
    """Return a target's delivery figures; raises as `looking.history_of` does.

    The commits of a deployment are those between the revision of the release that stood before it and its own, as this
    tree's git has them; a release that cannot be fetched, or a revision that git does not know, is told.
    """
    async with reach(box, home, run, target, await release_tools(box, run)) as there:
        entries = await there.ledger.read()
        found = deployments(entries)
        brought = [one for one in found if since < one.ended <= until and one.outcome == "verified"]
        revisions = await _revisions(there, brought)
    commits = {
        one.promotion: await anyio.to_thread.run_sync(partial(_commits, box.root, one, revisions)) for one in brought
    }
    half = unfinished(entries)
    return figures(
        target.name,
        found,
        commits,
        since=since,
        until=until,
        ledger_begins=entries[0].at if entries else None,
        under_way=f"{half.release_id} is {half.state}" if half else "",
    )


async def _revisions(there: TargetTools, brought: Sequence[Deployment]) -> dict[str, Commits | str]:
    """The revision that each release was made of, by its digest: it stands in the signed release."""

    async def of(digest: str) -> Commits | str:
        try:
            return (await there.fetch(there.place, digest)).release.revision
        except* SluiceError as group:
            why = "; ".join(in_a_line(error) for error in leaves(group))
        return Commits(unknown=f"its release cannot be fetched: {why}")

    digests = list(dict.fromkeys(one for each in brought for one in (each.before, each.release) if one))
    return dict(zip(digests, await side_by_side(of, digests), strict=True))


def _commits(root: Path, one: Deployment, revisions: dict[str, Commits | str]) -> Commits:
    """When the commits of a deployment were made: of a target's first one only its own, for nothing was before it."""
    own, before = revisions[one.release], revisions[one.before] if one.before else ""
    for revision in (own, before):
        if isinstance(revision, Commits):
            return revision
    which = [f"{before}..{own}"] if before else ["-1", str(own)]
    words = ["git", "-C", str(root), "log", "--no-merges", "--format=%ct", *which, "--"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Commits(unknown=f"git does not answer: {type(error).__name__}")
    if done.returncode:
        return Commits(unknown=f"git has not both revisions here: {done.stderr.strip().partition(chr(10))[0][:200]}")
    return Commits(tuple(float(line) for line in done.stdout.split()))

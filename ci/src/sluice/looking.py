"""status and history: what a target's ledger says, and what its cluster does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.bootstrap import Toolbox
from sluice.errors import SluiceError, in_a_line
from sluice.pipeline import leaves
from sluice.promotion.ledger import Entry, unfinished, verified
from sluice.promotion.model import Target
from sluice.reaching import reach
from sluice.release_tools import release_tools
from sluice.run import Run
from sluice.steps.fetch_release import Fetched
from sluice.steps.verify_target import images_against
from sluice.target_tools import TargetTools

_BUDGET = "min by (service) (slo:period_error_budget_remaining:ratio)"


@dataclass(frozen=True)
class Status:
    """What is known of a target. `since` is in seconds since the epoch, `budgets` are shares left, by service.

    `drift` says what runs otherwise than it was promoted; `under_way` what did not come to its end.
    """

    target: str
    release: str
    since: float
    who: str
    verdict: str
    budgets: dict[str, float]
    drift: tuple[str, ...]
    under_way: str = ""


async def history_of(box: Toolbox, home: Path, run: Run, target: Target) -> Sequence[Entry]:
    """Return a target's ledger. Raises LedgerError where it is broken, ClusterError where it cannot be read."""
    async with reach(box, home, run, target, await release_tools(box, run)) as there:
        return await there.ledger.read()


async def status_of(box: Toolbox, home: Path, run: Run, target: Target) -> Status:
    """Return what runs on a target; raises as `history_of` does."""
    async with reach(box, home, run, target, await release_tools(box, run)) as there:
        entries = await there.ledger.read()
        half, now = unfinished(entries), verified(entries)
        under_way = f"{half.release_id} is {half.state}" if half else ""
        if now is None:
            return Status(target.name, "", 0.0, "", "", {}, (), under_way)
        drift: list[str] = []
        verdict = "unknown"
        try:
            release = await there.fetch(there.place, now.release)
            verdict = f"{release.verdict.level}, {release.verdict.score:g}"
            drift = await drift_of(there, release)
        except* SluiceError as group:
            drift += unchecked(group)
        return Status(
            target.name, now.release_id, now.at, now.who, verdict, await _budgets(there), tuple(drift), under_way
        )


async def drift_of(there: TargetTools, release: Fetched) -> list[str]:
    """Return what runs otherwise than a release has it, or was edited. Raises ClusterError where nobody can tell."""
    services = [one.name for one in release.release.services]
    drift = images_against(release.release.everything, services, await there.running())
    try:
        drift += await there.edited(release)
    except* SluiceError as group:
        drift += unchecked(group)
    return drift


def unchecked(group: BaseExceptionGroup[SluiceError]) -> list[str]:
    """Return why a release cannot be compared with what runs, a line each."""
    return [f"its release cannot be checked: {in_a_line(error)}" for error in leaves(group)]


async def _budgets(there: TargetTools) -> dict[str, float]:
    try:
        found = await there.metrics().instant(_BUDGET)
    except SluiceError:
        return {}
    return {one.labels.get("service", ""): one.points[-1][1] for one in found if one.points}

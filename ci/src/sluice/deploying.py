"""deploy and rollback: from what was asked to a promotion that came to its end, everything checked before anything."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sluice.bootstrap import Toolbox
from sluice.errors import EvidenceError, PromotionRefused, SluiceError, in_a_line
from sluice.pipeline import leaves
from sluice.planning import plan_of
from sluice.promoting import End, Promotion, Why, other_under_way, refuse_other
from sluice.promotion.approvals import FILE, load_approvals
from sluice.promotion.checks import Known, reasons_against
from sluice.promotion.ledger import Entry, unfinished, verified
from sluice.promotion.model import Target
from sluice.promotion.plan import Plan
from sluice.promotion.readiness_file import last_ready
from sluice.promotion.release import REPOSITORY
from sluice.reaching import reach
from sluice.release_tools import Place, ReleaseTools, release_tools, releases_place
from sluice.run import Run
from sluice.steps.fetch_release import Fetched
from sluice.target_tools import TargetTools


@dataclass(frozen=True)
class Outcome:
    """What came of it: a plan and perhaps what stands against it, or the end of a promotion."""

    plan: Plan
    against: tuple[str, ...] = ()
    end: End | None = None


class Deployer:
    """Deploys to one of a tree's targets. `home` is the folder of runs."""

    def __init__(self, run: Run, box: Toolbox, home: Path, targets: Mapping[str, Target]) -> None:
        self._run, self._box, self._home, self._targets = run, box, home, targets

    async def deploy(self, target: Target, wanted: str, *, dry_run: bool) -> Outcome:
        """Promote the release of that id, or the newest, and return what came of it.

        With `dry_run` nothing is changed anywhere: the plan, and everything that stands against it. Raises
        PromotionRefused with every reason, SignatureRefused, and what reaching the target raises.
        """
        tools = await release_tools(self._box, self._run)
        source = await releases_place(self._box)
        digest = await self._digest(tools, source, wanted)
        async with reach(self._box, self._home, self._run, target, tools) as there:
            release = await self._fetch(there, source, digest)
            entries = await there.ledger.read()
            against = await self._against(there, source, release, entries)
            if not dry_run:
                self._refuse(target, release, against)
            plan = await self._plan(there, release, entries)
            if dry_run:
                return Outcome(plan, _said(*against, other_under_way(entries, digest)))
            return Outcome(plan, end=await self._promote(there, release, source))

    async def rollback(self, target: Target, wanted: str, *, dry_run: bool) -> Outcome:
        """Go back to the release that was verified before, or to the one of that id, out of the target's own registry.

        A promotion that did not come to its end is undone. No window and no freeze stands against it.
        """
        tools = await release_tools(self._box, self._run)
        async with reach(self._box, self._home, self._run, target, tools) as there:
            entries = await there.ledger.read()
            under_way = unfinished(entries)
            back = _back_to(entries, under_way, wanted, target.name)
            release = await self._fetch(there, there.place, back.release)
            plan = await self._plan(there, release, entries)
            if dry_run:
                return Outcome(plan, _said(other_under_way(entries, release.digest)) if wanted else ())
            async with there.lock():
                entries, before = await there.ledger.read(), entries
                _refuse_changed(before, entries, wanted, target.name)
                under_way = unfinished(entries)
                if under_way and not wanted:
                    undone = self._promotion(there, under_way.release, under_way.release_id, under_way.why)
                    end = await undone.undo(entries, under_way)
                else:
                    refuse_other(entries, release.digest, target.name)
                    promotion = self._promotion(there, release.digest, release.release.id, "rollback")
                    end = await promotion.carry_on(entries, release, there.place)
            return Outcome(plan, end=end)

    async def _promote(self, there: TargetTools, release: Fetched, source: Place) -> End:
        async with there.lock():
            entries = await there.ledger.read()  # it may have changed until the lock was ours
            refuse_other(entries, release.digest, there.target.name)
            promotion = self._promotion(there, release.digest, release.release.id, "deploy")
            return await promotion.carry_on(entries, release, source)

    def _promotion(self, there: TargetTools, digest: str, release_id: str, why: Why) -> Promotion:
        limits = self._box.settings.deadlines
        return Promotion(self._run, there, limits, digest=digest, release_id=release_id, why=why)

    async def _digest(self, tools: ReleaseTools, source: Place, wanted: str) -> str:
        where = f"{source.repository}/{REPOSITORY}"
        ids = sorted(await tools.oras.tags(where, source.access))
        if not ids or (wanted and wanted not in ids):
            raise EvidenceError(
                f"no release {wanted or 'at all'} in {where}",
                seen=f"{len(ids)} releases: {', '.join(ids[-3:])}" if ids else "none",
                expected="one that was made of a passing run",
                next_command="./nox -s release",
            )
        found = await tools.oras.resolve(f"{where}:{wanted or ids[-1]}", source.access)
        assert found
        return found

    async def _fetch(self, there: TargetTools, place: Place, digest: str) -> Fetched:
        work = partial(there.fetch, place, digest)
        return await self._run.step("fetch release", work, deadline_seconds=self._box.settings.deadlines.evidence)

    async def _against(
        self, there: TargetTools, source: Place, release: Fetched, entries: Sequence[Entry]
    ) -> list[str]:
        work = partial(self._reasons, there, source, release, entries)
        return await self._run.step("check", work, deadline_seconds=self._box.settings.deadlines.charts)

    async def _reasons(
        self, there: TargetTools, source: Place, release: Fetched, entries: Sequence[Entry]
    ) -> list[str]:
        target, now = there.target, time.time()
        ledgers: dict[str, Sequence[Entry]] = {}
        unread: dict[str, str] = {}
        for name in target.after:
            try:
                async with reach(self._box, self._home, self._run, self._targets[name], there.releases) as first:
                    ledgers[name] = await first.ledger.read()
            except* SluiceError as group:
                unread[name] = "; ".join(in_a_line(error) for error in leaves(group))
        known = Known(
            at=now,
            digest=release.digest,
            approvals=load_approvals(self._box.root / FILE, self._targets, now=now),
            unproven=await there.unproven(source, release.release.images),
            ledgers=ledgers,
            unread=unread,
            only_way_out=_only_way_out(entries, release.digest),
            first=verified(entries) is None,
            ready=last_ready(self._home, target.name),
        )
        return reasons_against(target, release.release, release.verdict, known)

    async def _plan(self, there: TargetTools, release: Fetched, entries: Sequence[Entry]) -> Plan:
        now = verified(entries)
        work = partial(plan_of, there, release, now.release_id if now else "")
        return await self._run.step("plan", work, deadline_seconds=self._box.settings.deadlines.charts)

    def _refuse(self, target: Target, release: Fetched, against: Sequence[str]) -> None:
        if against:
            raise PromotionRefused(
                f"{release.release.id} may not go to {target.name}",
                against,
                expected="none of these; nothing was changed",
                next_command=f"./nox -s deploy -- --target {target.name} --release {release.release.id} --dry-run",
            )


def _said(*reasons: str) -> tuple[str, ...]:
    return tuple(filter(None, reasons))


def _only_way_out(entries: Sequence[Entry], digest: str) -> bool:
    """Whether this release's promotion is under way and there is no other release to go back to."""
    under_way = unfinished(entries)
    return under_way is not None and under_way.release == digest and verified(entries, but=digest) is None


def _refuse_changed(before: Sequence[Entry], now: Sequence[Entry], wanted: str, target: str) -> None:
    """Raise PromotionRefused where what was planned is not what there is to do since the lock is ours."""
    halves = [unfinished(before), unfinished(now)]
    planned, back = (_back_to(one, half, wanted, target) for one, half in zip((before, now), halves, strict=True))
    if len({half.promotion if half else "" for half in halves}) > 1 or back.release != planned.release:
        raise PromotionRefused(
            f"another promotion to {target} came to its end meanwhile",
            [f"it would now go back to {back.release_id}"],
            expected="the ledger that the plan was made of",
            next_command=f"./nox -s rollback -- --target {target} --dry-run",
        )


def _back_to(entries: Sequence[Entry], under_way: Entry | None, wanted: str, target: str) -> Entry:
    """The entry of the release to go back to. Raises PromotionRefused where there is none."""
    now = verified(entries)
    if wanted:
        found = next((one for one in reversed(entries) if one.state == "verified" and one.release_id == wanted), None)
    elif under_way:
        found = verified(entries, but=under_way.release)
    else:
        found = verified(entries, but=now.release) if now else None
    if found is None:
        raise PromotionRefused(
            f"there is nothing to roll {target} back to",
            [f"{wanted or 'an earlier release'} was never verified there"],
            expected="a release that was",
            next_command=f"finish it: ./nox -s deploy -- --target {target} --release {under_way.release_id}"
            if under_way and not wanted
            else f"./nox -s history -- --target {target}",
        )
    return found

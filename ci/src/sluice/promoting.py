"""Promotion, START HERE: a release onto a target, state by state, and back where it does not do as it should.

    planned → copied → deployed → verified      and, of what fails:  → rolled-back | failed

Each state is written into the target's ledger when what it names is done, so that a promotion that was killed goes on
from there by running the same command again. What is done twice does no harm.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

import anyio

from sluice.domain import TABLES_FOLDER, dump
from sluice.errors import PromotionRefused, SluiceError, in_a_line
from sluice.pipeline import leaves
from sluice.promotion.canary_queries import countable
from sluice.promotion.ledger import Entry, State, unfinished, verified
from sluice.release_tools import Place
from sluice.run import Run, side_by_side
from sluice.settings import DeadlineSettings
from sluice.slo.load import load_slos
from sluice.steps.deploy_release import deploy_release
from sluice.steps.fetch_release import Fetched
from sluice.steps.verify_target import Level, Verified, verify_target
from sluice.target_tools import TargetTools

Why = Literal["deploy", "rollback"]
_LEVEL_SECONDS = 90.0
_LONGEST_REASON = 400
_MAX_BURN = 14.4  # as what pages: SRE workbook, chapter 5


@dataclass
class End:
    """How a promotion ended. `restored` is the id of the release that it went back to, after so many seconds."""

    state: State
    release: str
    detail: str
    reasons: tuple[str, ...] = ()
    restored: str = ""
    restored_seconds: float = 0.0
    resumed: str = ""  # the state that a killed promotion had got to
    undone: bool = False  # to go back was what was asked for

    @property
    def as_asked(self) -> bool:
        """Whether it came to what was asked for."""
        return self.state == ("rolled-back" if self.undone else "verified")


class Promotion:
    """One promotion of a release, known by digest and id, to a target. Raises SloError: it is verified by the SLOs."""

    def __init__(
        self, run: Run, tools: TargetTools, limits: DeadlineSettings, *, digest: str, release_id: str, why: Why
    ) -> None:
        self._run, self._tools, self._limits = run, tools, limits
        self.digest, self.release_id, self.why = digest, release_id, why
        self.id = run.id
        self._objectives = load_slos(tools.root)
        self._installed = False  # by this process

    async def note(self, state: State, detail: str = "") -> Entry:
        """Write into the ledger what was got to."""
        return await self._tools.ledger.append(
            promotion=self.id,
            release=self.digest,
            release_id=self.release_id,
            state=state,
            who=self._tools.who,
            why=self.why,
            detail=detail,
            at=time.time(),
        )

    async def carry_on(self, entries: Sequence[Entry], release: Fetched, source: Place) -> End:
        """Take it from the state that it is in to its end; `release` is its own, `source` where that lies."""
        under_way = unfinished(entries)
        if under_way:  # what began as going back stays that, whoever ends it
            self.id, self.why = under_way.promotion, under_way.why
        state = (under_way or await self.note("planned")).state
        resumed: State | str = under_way.state if under_way else ""
        if state == "planned":
            if failed := await self._tried(
                "copy images", partial(self._tools.copy, release, source), self._limits.supply
            ):
                # Nothing runs otherwise than before.
                detail = (await self.note("failed", failed)).detail
                return End("failed", self.release_id, detail, (failed,), resumed=resumed)
            await self.note("copied")
        # Also one that got to `deployed`: it may have been killed on its way back, with charts of either release.
        failed = await self._tried("deploy", partial(self._deploy, release), self._limits.suites)
        self._installed = True
        if not failed:
            if state != "deployed":
                await self.note("deployed")
            found = await self._verified(release, "verify")
            if not found.against:
                await self.note("verified", found.summary)
                return End("verified", self.release_id, found.summary, resumed=resumed)
            failed = found.summary
        return await self.restore(entries, failed, resumed=resumed)

    async def undo(self, entries: Sequence[Entry], under_way: Entry) -> End:
        """End a promotion that did not come to its end, by going back to what was verified before it."""
        self.id = under_way.promotion
        end = await self.restore(entries, "undone by hand", resumed=under_way.state)
        end.undone = True
        return end

    async def restore(self, entries: Sequence[Entry], failed: str, *, resumed: str = "") -> End:
        """Go back to the release that was verified last before this one, and verify that; `failed` says why."""
        began, id_ = time.monotonic(), self.release_id
        back = verified(entries, but=self.digest)
        if back is None:
            # Of the same release only what targets/ says can have changed, and that is no release's to take back.
            known = "only this very release" if verified(entries) else "no release"
            detail = f"{_cut(failed)}; {known} was verified here before, so it is left as it is"
            await self.note("failed", detail)
            return End("failed", id_, detail, (failed,), resumed=resumed)
        async with anyio.create_task_group() as group:
            group.start_soon(self._gather)  # beside: what failed is told by what is there now, and nobody waits for it
            again = await self._go_back(back)
            seconds = round(time.monotonic() - began, 1)
        if again:
            detail = f"{_cut(failed)}; going back to {back.release_id} failed too: {_cut(again)}"
            await self.note("failed", detail)
            return End("failed", id_, detail, (failed, again), resumed=resumed)
        detail = f"{_cut(failed)}; back to {back.release_id}, verified after {seconds:g} s"
        await self.note("rolled-back", detail)
        return End("rolled-back", id_, detail, (failed,), back.release_id, seconds, resumed)

    async def _go_back(self, back: Entry) -> str:
        """Deploy what an entry names and verify it; returns why that failed, empty where it did not."""
        again = ""
        try:
            fetch = partial(self._tools.fetch, self._tools.place, back.release)
            earlier = await self._run.step("fetch last verified", fetch, deadline_seconds=self._limits.evidence)
            work = partial(self._deploy, earlier, back=True)
            await self._run.step("roll back", work, deadline_seconds=self._limits.suites)
            found = await self._verified(earlier, "verify rolled back")
            again = found.summary if found.against else ""
        except* SluiceError as group:
            again = "; ".join(in_a_line(error) for error in leaves(group))
        return again

    async def _gather(self) -> None:
        with suppress(Exception):  # that it failed stands in the timings, and is no reason not to go back
            await self._run.step("gather failure", self._tools.gather, deadline_seconds=self._limits.evidence)

    async def _deploy(self, release: Fetched, *, back: bool = False) -> None:
        tools, target = self._tools, self._tools.target
        say = partial(self._run.progress.update, "roll back" if back else "deploy")
        canary = tools.canary(release, say) if target.strategy == "canary" else None
        if canary and (back or self.why == "rollback"):  # no experiment; and of a killed one canaries may be left
            await side_by_side(canary.end, release.release.services)
            canary = None
        try:
            await deploy_release(
                # Where all of it was put there a moment ago, what does not differ between the two needs no time.
                tools.installer(release, keep_current=back and self._installed),
                release.release,
                target.cluster,
                definitions=release.content / "crds",
                canary=canary,
                say=say,
            )
        finally:
            for table in canary.tables if canary else ():
                folder = self._run.folder / TABLES_FOLDER
                folder.mkdir(exist_ok=True)
                self._run.write(folder / f"{table.name}.json", dump(table))

    async def _verified(self, release: Fetched, step: str) -> Verified:
        tools, spaces = self._tools, self._tools.target.cluster
        services = [one.name for one in release.release.services]
        work = partial(
            verify_target,
            running=tools.running,
            images=release.release.everything,
            services=services,
            smoke=partial(tools.smoke, release),
            level=Level(
                tools.metrics(),
                {name: countable(self._objectives.get(name, ())) for name in services},
                spaces.services,
                max_burn=_MAX_BURN,
                deadline_seconds=_LEVEL_SECONDS,
                say=partial(self._run.progress.update, step),
            ),
        )
        found = Verified((), None, {})
        try:
            found = await self._run.step(step, work, deadline_seconds=self._limits.charts + _LEVEL_SECONDS + 60)
        except* SluiceError as group:  # what cannot be verified is not
            found = Verified(tuple(in_a_line(error) for error in leaves(group)), None, {})
        return found

    async def _tried(self, step: str, work: Callable[[], Awaitable[None]], seconds: float) -> str:
        """Take a step; returns why it failed, empty where it did not."""
        failed = ""
        try:
            await self._run.step(step, work, deadline_seconds=seconds)
        except* SluiceError as group:
            failed = f"{step}: " + "; ".join(in_a_line(error) for error in leaves(group))
        return failed


def other_under_way(entries: Sequence[Entry], digest: str) -> str:
    """Return which other release's promotion did not come to its end; empty where there is none."""
    under_way = unfinished(entries)
    if under_way is None or under_way.release == digest:
        return ""
    return f"{under_way.release_id} is {under_way.state} since {time.strftime('%F %T', time.gmtime(under_way.at))} UTC"


def _cut(reason: str) -> str:
    """A reason as the ledger has it, which holds a line of each; the whole of it is in the evidence."""
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"


def refuse_other(entries: Sequence[Entry], digest: str, target: str) -> None:
    """Raise PromotionRefused where another release's promotion to the target did not come to its end."""
    under_way = unfinished(entries)
    if under_way and (other := other_under_way(entries, digest)):
        again, back = f"./nox -s deploy -- --target {target}", f"./nox -s rollback -- --target {target}"
        raise PromotionRefused(
            f"{target} is in the middle of another promotion",
            [other],
            expected="one promotion at a time, to its end",
            next_command=f"finish it: {again} --release {under_way.release_id}   or undo it: {back}",
        )

"""A switch: the region that stands by becomes the active one, step by step, and a killed one goes on where it was.

What a switch knows of itself is in its run's folder: failover.json (how far it got), marks.jsonl (what was acknowledged
meanwhile), figures.json (what it came to). That one is under way stands in active.json too, so that no other begins.
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from sluice.adapters.kubernetes.jobs import Jobs
from sluice.adapters.kubernetes.region import RegionCluster, last_known
from sluice.domain import Source
from sluice.errors import ClusterError, FailoverError, FailoverRefused, SluiceError, in_a_line
from sluice.files import write_atomically
from sluice.region_tools import RegionTools
from sluice.regions import active as entry
from sluice.regions.active import Active
from sluice.regions.gate import Reasons, against, nowhere
from sluice.regions.model import Marker, Seen, other
from sluice.steps.fence_region import fence
from sluice.steps.look_at_region import look
from sluice.steps.mirror_lag import all_copied, mirror_lag
from sluice.steps.promote_region import catch_up, promote

STATE = "failover.json"
_DRAIN_SECONDS = 120.0


@dataclass(frozen=True)
class Switch:
    """How far a switch got. `epoch` is 0 until it was decided; times are in seconds since the epoch.

    `unreachable` is why the old side could not be fenced, `wrote` how far its database wrote (bytes of WAL, 0: not
    known yet, negative: never told), `last_commit` the last of it that the new side has, `forced` what was overruled.
    """

    target: str
    epoch: int = 0
    began: float = 0.0
    unreachable: str = ""
    wrote: int = 0
    last_commit: float = 0.0
    forced: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    ended: float = 0.0

    @property
    def source(self) -> str:
        """The region that was active."""
        return other(self.target)


Step = Callable[[Switch], Awaitable[Switch]]


class Failover:
    """One switch to a region. `force`: what may be lost is no reason to refuse."""

    def __init__(self, tools: RegionTools, target: str, *, force: bool) -> None:
        self._tools = tools
        self._run, self._home = tools.run, tools.home
        self._limit = tools.settings.deadlines.charts
        self._space = tools.settings.namespaces.services
        self._target = target
        self._force = force

    def state(self) -> Switch:
        """How far it got; one that is to begin where its folder says nothing. Raises FailoverError."""
        path = self._run.folder / STATE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            state = Switch(**{**found, "forced": tuple(found["forced"]), "done": tuple(found["done"])})
        except FileNotFoundError:
            return Switch(self._target)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FailoverError(
                f"{path} does not tell how far the switch got",
                seen=f"{type(error).__name__}: {error}",
                expected="what the switch wrote there at each of its steps",
                next_command="./nox -s regions -- status",
            ) from None
        if state.target != self._target:
            raise FailoverError(
                f"the switch of {self._run.folder.name} goes to {state.target}",
                seen=f"--to {self._target}",
                expected=f"--to {state.target}",
                next_command=f"./nox -s failover -- --to {state.target} --again {self._run.folder}",
            )
        return state

    def check_name(self) -> None:
        """Raise FailoverRefused where there is nothing to be asked of the regions at all."""
        if wrong := nowhere(self._target, entry.read(self._home)):
            raise self._refused([wrong], only_lag=False)

    async def check(self, source: Source, *, lost: bool = False) -> Reasons:
        """Ask both regions, and return what may be lost and was overruled.

        `lost`: the active one was lost on purpose a moment ago. Raises FailoverRefused with every reason.
        """
        self.check_name()
        active = entry.read(self._home)
        async with self._regions(source) as (old, new):
            left, wanted = await self._seen(other(self._target), old), await self._seen(self._target, new)
            mirror: int | str = "its source does not answer"
            if new and not left.unreachable and not wanted.unreachable:
                mirror = await self._mirror(new)
        reasons = against(self._target, active, left, wanted, mirror)
        if reasons.refused or (reasons.lag and not self._force):
            raise self._refused([*reasons.refused, *reasons.lag], only_lag=not reasons.refused)
        if lost and not left.unreachable:
            raise FailoverError(
                f"{left.name} was lost on purpose and answers all the same",
                seen="an answer of its API server",
                expected="none",
                next_command="docker ps",
            )
        return reasons

    def decide(self, reasons: Reasons, *, began: float) -> Switch:
        """Begin: from here on it goes on until it is done. Returns its state. Raises FailoverError.

        `began` is when the active region was lost or is touched, in seconds since the epoch.
        """
        active = entry.read(self._home)
        assert active
        state = Switch(self._target, active.epoch + 1, began, forced=reasons.lag)
        self._keep(state)
        entry.write(self._home, replace(active, switching=str(self._run.folder)))
        return state

    async def go(self, source: Source, state: Switch) -> Switch:
        """Take every step that is not done yet, and return how it ended. Raises FailoverError out of turn."""
        self._claim(state)
        async with self._regions(source) as (old, new):
            if new is None:
                raise FailoverError(
                    f"{self._target} is gone",
                    seen="no credentials of it on this host",
                    expected="the region that is to be active",
                    next_command="./nox -s regions -- status",
                )
            for name, step in self._steps(old, new).items():
                if name not in state.done:
                    state = await self._run.step(name, partial(step, state), deadline_seconds=4 * self._limit)
                    state = replace(state, done=(*state.done, name))
                    self._keep(state)
        return state

    def _claim(self, state: Switch) -> None:
        """Go on only with the switch that is under way, or with one that has come to its end."""
        active, folder = entry.read(self._home), str(self._run.folder)
        if active and not active.switching and not state.done and active == Active(state.source, state.epoch - 1):
            entry.write(self._home, replace(active, switching=folder))  # it was killed before it could
        elif not active or (active.switching != folder and active != Active(state.target, state.epoch)):
            raise FailoverError(
                f"the switch of {self._run.folder.name} is not the one that is under way",
                seen=f"{active.region} is active in epoch {active.epoch}" if active else "no regions",
                expected=f"a switch to {state.target}, epoch {state.epoch}, that was not undone or overtaken",
                next_command="./nox -s regions -- status",
            )

    async def undo(self, source: Source, state: Switch) -> Active:
        """Go back to the old side, as long as nothing was promoted; returns which region is active.

        May be done again from any point. Raises FailoverError where it is too late, or a side does not answer.
        """
        active = entry.read(self._home)
        async with self._regions(source) as (old, new):
            if (
                active is None
                or active.region != state.source
                or not old
                or not new
                or not (await new.database()).standby
            ):
                raise FailoverError(
                    f"the switch to {self._target} cannot be undone",
                    seen="it was promoted, or a side is not there",
                    expected="both regions, and nothing promoted yet",
                    next_command=f"./nox -s failover -- --to {self._target} --again {self._run.folder}",
                )
            # Whoever goes on with it afterwards begins anew: what it knows is of before.
            with suppress(FileNotFoundError):
                (self._run.folder / STATE).rename(self._run.folder / f"undone-{STATE}")
            # In this order: never does either of them take itself for what the other one is.
            await new.mark(Marker(new.name, "standby", active.epoch))
            await old.mark(Marker(old.name, "primary", active.epoch))
            await old.server(running=True, deadline_seconds=self._limit)
            await old.services(1, deadline_seconds=self._limit)
        back = replace(active, switching="")
        entry.write(self._home, back)
        return back

    def _steps(self, old: RegionCluster | None, new: RegionCluster) -> dict[str, Step]:
        """All steps, in their order; each may be taken again from any point of it."""

        async def fence_old(state: Switch) -> Switch:
            cause = await old.unreachable() if old else "it has no credentials on this host"
            if not cause and old:
                wrote = await fence(
                    old, state.epoch, lambda at: self._keep(replace(state, wrote=at)), wrote=state.wrote,
                    may_be_unknown=bool(state.forced), deadline_seconds=self._limit,
                )  # fmt: skip
                return replace(state, wrote=wrote)
            if not self._force:
                raise self._refused([f"{state.source} cannot be fenced: {cause}"], only_lag=True)
            self._run.say(f"{state.source} cannot be fenced, it does not answer: {cause}")
            return replace(state, unreachable=cause)

        async def have_it_all(state: Switch) -> Switch:
            if not state.unreachable:
                state = await self._drain(new, state)
            # Of a side that went while it was fenced, what has not arrived never will.
            wrote = 0 if state.unreachable else state.wrote
            found = await catch_up(new, wrote, deadline_seconds=self._limit)
            return replace(state, last_commit=found.last_commit)

        async def make_primary(state: Switch) -> Switch:
            await promote(new, state.epoch, deadline_seconds=60)
            return state

        async def end_mirror(state: Switch) -> Switch:
            await new.stop_mirror(deadline_seconds=self._limit)
            return state

        async def serve(state: Switch) -> Switch:
            await new.services(1, deadline_seconds=self._limit)
            return state

        async def lead_there(state: Switch) -> Switch:
            entry.write(self._home, Active(state.target, state.epoch))
            return replace(state, ended=time.time())

        return {
            f"fence {other(self._target)}": fence_old,
            f"let {self._target} catch up": have_it_all,
            f"promote {self._target}": make_primary,
            "stop mirroring": end_mirror,
            f"start services in {self._target}": serve,
            "switch the entry": lead_there,
        }

    async def _drain(self, new: RegionCluster, state: Switch) -> Switch:
        """Wait until the mirror has copied every event of a source that nobody writes to any more."""

        name = f"{self._run.id[-4:]}-{int(time.time())}"
        try:
            await all_copied(Jobs(new.client), self._space, name, deadline_seconds=_DRAIN_SECONDS)
        except SluiceError as error:
            if not state.forced:
                raise
            self._run.say(f"the mirror was not waited for: {in_a_line(error)}")
            return replace(state, forced=(*state.forced, f"the mirror: {error.seen}"))
        return state

    async def _mirror(self, new: RegionCluster) -> int | str:
        """How many events the mirror has not copied, or why that is not known."""
        try:
            return (await mirror_lag(Jobs(new.client), self._space, f"{self._run.id[-4:]}-{int(time.time())}")).events
        except SluiceError as error:
            return in_a_line(error)

    async def _seen(self, name: str, region: RegionCluster | None) -> Seen:
        known = partial(last_known, self._tools.ledger_copy(name))
        if region is None:
            return Seen(name, unreachable="it has no credentials on this host", release=known())
        return await self._run.step(f"ask {name}", partial(look, region, known), deadline_seconds=90)

    @asynccontextmanager
    async def _regions(self, source: Source) -> AsyncIterator[tuple[RegionCluster | None, RegionCluster | None]]:
        """The old side and the new one; None where this host has no credentials of it."""
        found: list[RegionCluster | None] = []
        async with AsyncExitStack() as ways:
            for name in (other(self._target), self._target):
                try:
                    found.append(await ways.enter_async_context(self._tools.reached(name, source)))
                except ClusterError:
                    found.append(None)
            yield found[0], found[1]

    def _refused(self, reasons: list[str], *, only_lag: bool) -> FailoverRefused:
        again = f"./nox -s failover -- --to {self._target} --force"
        return FailoverRefused(
            f"{self._target} may not become the active region",
            reasons,
            expected="a region that stands by, is ready, runs the same release, and has what the active one wrote",
            next_command=f"{again} goes on without what may be lost" if only_lag else "./nox -s regions -- status",
        )

    def _keep(self, state: Switch) -> None:
        data: dict[str, Any] = asdict(state)
        write_atomically(self._run.folder / STATE, json.dumps(data).encode())

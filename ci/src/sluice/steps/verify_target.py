"""Whether a target does what it should after a deploy: the images that run, the smoke tests, and its service level."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio

from sluice.domain import Image, Series, SuiteResults
from sluice.errors import ClusterError, EvidenceError, in_a_line
from sluice.ports import Metrics
from sluice.promotion.canary import FEWEST_BAD
from sluice.promotion.canary_queries import Countable
from sluice.promotion.plan import parted

_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Verified:
    """What was found; `against` is empty where the target does as it should."""

    against: tuple[str, ...]
    tests: SuiteResults | None
    burns: Mapping[str, float]

    @property
    def summary(self) -> str:
        """One line for the ledger."""
        if self.against:
            return "; ".join(self.against)
        passed = sum(one.outcome == "passed" for one in self.tests.tests) if self.tests else 0
        worst = max(self.burns.items(), key=lambda one: one[1], default=None)
        burn = f", the fastest burn {worst[1]:.2g} of {worst[0]}" if worst else ""
        return f"{passed} smoke tests passed{burn}"


def images_against(images: Sequence[Image], services: Sequence[str], running: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what runs and should not. `running` has the references that containers run, by container's name.

    An image that nothing runs is no fault but for a service: a chart may be set not to use one.
    """
    found = []
    for image in images:
        used = sorted({one for refs in running.values() for one in refs if parted(one)[0] == image.repository})
        if image.name in services and not used:
            found.append(f"nothing runs {image.name}")
        found += [
            f"{image.name} runs as {parted(one)[1][:19] or 'whatever is newest'}, not {image.digest[:19]}"
            for one in used
            if one != image.reference
        ]
    return found


@dataclass(frozen=True)
class Level:
    """How a target's service level is looked at: by each service's own objectives, as they are counted by its pods.

    What came before the deploy says nothing of it: events are counted from its end on, and of alerts those are left out
    that were active before. Otherwise the errors of a bad release would speak against the one that it went back to.
    """

    metrics: Metrics
    objectives: Mapping[str, Sequence[Countable]]
    namespace: str
    max_burn: float
    deadline_seconds: float
    say: Callable[[str], None]

    async def now(self) -> float:
        """Prometheus' own clock, in seconds since the epoch. Raises EvidenceError where it does not answer."""
        (one,) = await self.metrics.instant("time()")
        return one.points[-1][1]

    async def against(self, since: float) -> tuple[list[str], dict[str, float]]:
        """Return what speaks against it since a time of Prometheus' clock, and each objective's burn.

        First every service has to be scraped after what was asked of it. That, and an answer at all, is waited for up
        to the deadline: a busy cluster's Prometheus may be away for a moment. What is missing then is a reason.
        """
        asked: float | None = None
        end = anyio.current_time() + self.deadline_seconds
        while True:
            try:
                asked = asked or await self.now()
                reasons = await self._unscraped(asked)
                if not reasons:
                    burns, found = await self._burns(since)
                    return [*found, *await self._alerts(since)], burns
            except (EvidenceError, ClusterError, ValueError) as error:
                reasons = [f"Prometheus could not be asked: {in_a_line(error)}"]
            if anyio.current_time() >= end:
                return reasons, {}
            self.say(f"waiting: {reasons[0]}" + (f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""))
            await anyio.sleep(_POLL_SECONDS)

    async def begun(self) -> float:
        """Prometheus' clock now, waited for up to the deadline. Raises EvidenceError, ClusterError or ValueError."""
        end = anyio.current_time() + self.deadline_seconds
        while True:
            try:
                return await self.now()
            except (EvidenceError, ClusterError, ValueError) as error:
                if anyio.current_time() >= end:
                    raise
                self.say(f"waiting for Prometheus: {in_a_line(error)}")
            await anyio.sleep(_POLL_SECONDS)

    async def _unscraped(self, asked: float) -> list[str]:
        """What was not scraped since a time of Prometheus' clock, or is down."""
        selector = f'up{{namespace="{self.namespace}"}}'
        up = {one.labels.get("job", ""): one.points[-1][1] for one in await self._each(f"min by (job) ({selector})")}
        at = await self._each(f"min by (job) (timestamp({selector}))")
        seen = {one.labels.get("job", "") for one in at if one.points[-1][1] > asked}
        reasons = [f"{name} is not scraped" for name in self.objectives if name not in seen]
        return reasons + [f"a pod of {name} is down" for name in self.objectives if name in seen and up.get(name) != 1]

    async def _burns(self, since: float) -> tuple[dict[str, float], list[str]]:
        now = await self.now()
        burns: dict[str, float] = {}
        reasons = []
        for service, objectives in self.objectives.items():
            for one in objectives:
                asked = one.queries(namespace=self.namespace, pods='pod!=""', seconds=now - since)
                side, total = [await self._number(query, now) for query in asked]
                if not total:
                    continue
                bad = one.bad_of(side, total)
                burn = burns[f"{service} {one.name}"] = bad / total / float(one.budget)
                if bad >= FEWEST_BAD and burn > self.max_burn:
                    reasons.append(
                        f"{service} burns its budget of {one.name} {burn:.3g} times as fast as it may, over "
                        f"{self.max_burn:g}: {bad:.0f} of {total:.0f} bad"
                    )
        return burns, reasons

    async def _alerts(self, since: float) -> list[str]:
        """The critical alerts of the services that became active since then (ALERTS_FOR_STATE has the time)."""
        wanted = f'alertname!="", severity="critical", service=~"{"|".join(self.objectives)}"'
        firing = await self._each(f'ALERTS{{alertstate="firing", {wanted}}}')
        begun = {_identity(one): one.points[-1][1] for one in await self._each(f"ALERTS_FOR_STATE{{{wanted}}}")}
        return [
            f"the alert {one.labels['alertname']} fires for {one.labels.get('service')}"
            for one in firing
            if not begun.get(_identity(one), since) < since  # NaN is no time before
        ]

    async def _each(self, query: str) -> tuple[Series, ...]:
        return tuple(one for one in await self.metrics.instant(query) if one.points)

    async def _number(self, query: str, at: float) -> float | None:
        values = [one.points[-1][1] for one in await self.metrics.instant(query, at=at) if one.points]
        if len(values) > 1 or not all(map(math.isfinite, values)):
            raise ValueError(f"{query} gives {values}, not one number")
        return values[0] if values else None


def _identity(one: Series) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in one.labels.items() if name not in ("__name__", "alertstate"))


async def verify_target(
    *,
    running: Callable[[], Awaitable[Mapping[str, Sequence[str]]]],
    images: Sequence[Image],
    services: Sequence[str],
    smoke: Callable[[], Awaitable[SuiteResults]],
    level: Level,
) -> Verified:
    """Return what was found, in this order: what runs, what its smoke tests say, what its service level is."""
    against = images_against(images, services, await running())
    if against:
        return Verified(tuple(against), None, {})
    try:
        since = await level.begun()
    except (EvidenceError, ClusterError, ValueError) as error:
        return Verified((f"Prometheus could not be asked: {in_a_line(error)}",), None, {})
    tests = await smoke()
    failed = [one for one in tests.tests if one.failed]
    against = [f"{one.id.rpartition('/')[2]} {one.outcome}: {_first_line(one.message)}" for one in failed[:3]]
    if len(failed) > 3:
        against.append(f"{len(failed) - 3} more smoke tests failed")
    if not failed and (tests.exit_status != 0 or not any(one.outcome == "passed" for one in tests.tests)):
        against.append(f"the smoke tests did not run: exit status {tests.exit_status}")
    reasons, burns = await level.against(since)
    return Verified((*against, *reasons), tests, burns)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:200] if text.strip() else "no message"

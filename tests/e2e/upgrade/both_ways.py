"""All services rolled to the previous release and back to this one, under load, and what clients saw of it."""

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from tests.e2e.audit import PATH as AUDIT
from tests.e2e.effects import CHANGES, CHANNELS, Effects
from tests.e2e.kube import Kube
from tests.e2e.load import Asked, Load
from tests.e2e.support import EFFECT_WITHIN, Clients, eventually
from tests.e2e.upgrade.ear import Ear
from tests.e2e.upgrade.rolling import Releases
from tests.e2e.users import Signer, new_user
from tests.e2e.websocket.listening import Sync

from sluice.domain import SuiteTable
from sluice.steps.run_suites import SuiteContext

# What a client of each service reads; the backend is written to.
READ = {"audit": AUDIT, "notification": CHANNELS, "recurring-task": "/api/v1/reminders", "sync": CHANGES}
STARTED_WITHIN = 30.0
RESTORED_WITHIN = 120.0
# Each start takes a processor for seconds. More than half of them at once starves the probes of what has just started,
# and what is not ready gets no requests: on two, three at once lost 5 of 1,200 so.
AT_ONCE = max(1, (os.cpu_count() or 2) // 2)
MOST_REQUESTS = 6000  # more than a roll within its bound can bring about
PREVIOUS = {"RELEASE": "previous"}  # of no meaning to a service: its pods are others all the same
NOTE = (
    "All pods of all services were replaced under load: to the previous release by `helm upgrade`, and to this one by "
    "`helm rollback`. Tasks were created, every service was read, and one client listened by WebSocket all the time."
)
COLUMNS = ("to", "seconds", "pods", "requests", "failed", "longest answer", "connections ended", "longest silence")


@dataclass(frozen=True)
class Rolled:
    """What a client saw while all services were rolled once; times are in seconds since the epoch."""

    release: str
    began: float
    ended: float
    pods: int
    asked: tuple[Asked, ...]
    lost: tuple[str, ...]
    silence: float


@dataclass(frozen=True)
class Upgrade:
    """Both ways, and what was left behind."""

    ways: dict[str, Rolled]
    load: Load
    effects: Effects
    ear: Ear
    revisions: dict[str, int]
    releases: Releases


async def both_ways(context: SuiteContext, kube: Kube, clients: Clients, signer: Signer, work: Path) -> Upgrade:
    """Roll to the previous release and back to this one; whatever happens, this one is installed at the end."""
    user = new_user()
    readers = {name: (clients.of(name, user, lambda _: None), path) for name, path in READ.items()}
    backend = clients.backend(user, lambda _: None)
    load = Load(backend, {name: one for name, one in readers.items() if name in context.services}, most=MOST_REQUESTS)
    effects = Effects.of(backend, lambda service: clients.of(service, user, lambda _: None))
    ear = Ear(Sync(kube, context.services["sync"], signer), user)
    releases = Releases(context, kube, work)
    found = Upgrade({}, load, effects, ear, await releases.revisions(), releases)

    async def connected() -> None:
        assert ear.connected, f"no WebSocket yet: {ear.ended}"

    async def begun() -> None:
        assert {one.service for one in load.asked if one.ok} == {"backend", *load.readers}

    async def heard() -> None:
        missing = {one.task for one in load.taken} - {task for _, task in ear.heard}
        assert not missing, f"of {len(missing)} tasks nothing was heard"

    async def back(service: str) -> None:
        await releases.roll_back(service, found.revisions[service])

    async with anyio.create_task_group() as listening:
        listening.start_soon(ear.listen)
        # Connected before there is anything to hear: from then on everything is to be heard.
        await eventually(connected, within=STARTED_WITHIN)
        try:
            async with load.running():
                await eventually(begun, within=STARTED_WITHIN)
                await _roll(found, "previous", lambda service: releases.roll_out(service, PREVIOUS))
                await _roll(found, "this", back)
            with suppress(AssertionError):  # what was not heard is a test's business
                await eventually(heard, within=EFFECT_WITHIN)
        finally:
            if "this" not in found.ways:
                with anyio.CancelScope(shield=True), anyio.move_on_after(RESTORED_WITHIN):
                    await _each(context, back)
        listening.cancel_scope.cancel()
    return found


async def _roll(found: Upgrade, release: str, change: Callable[[str], Awaitable[None]]) -> None:
    """Roll every service, and note what clients saw until the last old pod was gone."""
    load, ear, releases = found.load, found.ear, found.releases
    began, sent, lost, pods = time.time(), len(load.asked), len(ear.ended), 0
    ear.longest_silence = 0.0

    async def one(service: str) -> None:
        nonlocal pods
        old = await releases.uids(service)
        pods += len(old)
        await change(service)
        await releases.rolled(service, old)

    await _each(releases.context, one)
    asked, ended = tuple(load.asked[sent:]), time.time()
    found.ways[release] = Rolled(release, began, ended, pods, asked, tuple(ear.ended[lost:]), ear.longest_silence)


async def _each(context: SuiteContext, work: Callable[[str], Awaitable[None]]) -> None:
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def one(service: str) -> None:
        async with limit:
            await work(service)

    async with anyio.create_task_group() as group:
        for service in context.services:
            group.start_soon(one, service)


def table(found: Upgrade) -> SuiteTable:
    """One row a way."""
    rows = tuple(
        (
            one.release, f"{one.ended - one.began:.0f} s", str(one.pods), str(len(one.asked)),
            str(sum(not each.ok for each in one.asked)), f"{max(each.seconds for each in one.asked):.2f} s",
            str(len(one.lost)), f"{one.silence:.1f} s",
        )
        for one in found.ways.values()
    )  # fmt: skip
    return SuiteTable("upgrade", "What clients saw while all services were rolled", COLUMNS, rows, NOTE)

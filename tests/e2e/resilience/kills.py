"""Kills under load: every pod of one program at once, without a moment to finish anything, and how it comes back."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.e2e.kube import Kube, is_ready
from tests.e2e.load import Asked, Load
from tests.e2e.support import eventually

# From the kill until what was asked of it since has its effect; on two cores a pod alone takes some 10 s to be ready.
RECOVERED_WITHIN = 90.0
# A kill that is never over would be told by its criterion; this only bounds the wait.
GIVEN_UP_AFTER = 120.0


@dataclass(frozen=True)
class Target:
    """What is killed. `works` fails until what was taken at a time, or since, shows that it works again.

    `refuses`: whether requests of users may go without an answer while it is away.
    """

    name: str
    kube: Kube
    works: Callable[[float], Awaitable[None]]
    refuses: bool = False


@dataclass(frozen=True)
class Kill:
    """One kill: when (seconds since the epoch), how many pods, and seconds until new ones are ready, and it works."""

    name: str
    at: float
    pods: int
    ready: float | None
    recovered: float | None
    refused: tuple[Asked, ...]
    refuses: bool
    failure: str

    @property
    def wrong(self) -> str:
        """What is against it; empty where nothing is."""
        if self.failure or self.recovered is None:
            return self.failure or "it did not work again"
        if self.recovered > RECOVERED_WITHIN:
            return f"it took {self.recovered:.1f} s to work again, {RECOVERED_WITHIN:g} are allowed"
        if self.refused and not self.refuses:
            first = self.refused[0]
            told = f"status {first.status} {first.cause}" if first.status else first.cause
            return f"{len(self.refused)} requests failed that do not need it, the first: {first.service}: {told}"
        return ""


async def kill(target: Target, load: Load) -> Kill:
    """Kill all pods of a target, and follow it until it works again, or not; what goes wrong is in the result."""
    before = await target.kube.pods(target.name)
    uids = {pod["metadata"]["uid"] for pod in before}
    at = time.time()
    for pod in before:
        await target.kube.delete(pod["metadata"]["name"], grace_seconds=0)

    async def replaced() -> None:
        pods = await target.kube.pods(target.name)
        ready = [pod for pod in pods if is_ready(pod) and pod["metadata"]["uid"] not in uids]
        assert len(ready) >= len(before), f"{len(ready)} of {len(before)} pods of {target.name} are new and ready"

    ready = recovered = None
    failure = "" if before else f"{target.name} has no pod"
    try:
        await eventually(replaced, within=GIVEN_UP_AFTER)
        ready = time.time() - at
        await eventually(lambda: target.works(at), within=GIVEN_UP_AFTER, every=0.5)
        recovered = time.time() - at
    except AssertionError as error:
        failure = failure or str(error)
    refused = tuple(load.failed(since=at))
    return Kill(target.name, at, len(before), ready, recovered, refused, target.refuses, failure)


def first_taken(load: Load, since: float) -> Asked:
    """The first task that was sent, and taken, after a time; fails while there is none."""
    found = next((one for one in load.taken if one.at > since), None)
    assert found, "no task was taken since"
    return found

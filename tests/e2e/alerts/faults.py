"""The faults: each is there while its context is entered, and leaving it ends the fault."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
from tests.e2e.alerts.cluster import Drills, StandIn
from tests.e2e.kube import Kube
from tests.e2e.support import PROVOKED, Backend, Clients, eventually

Fault = Callable[[], AbstractAsyncContextManager[None]]
MEBIBYTES_TOO_MANY = 200  # a stand-in may have 64
MESSAGE_TOO_LARGE = 2_000_000  # the broker's limit and the client's is 1 MB
BROKER_BACK_WITHIN = 90.0
# The gate counts what is provoked: a drill needs few errors, and makes no more than these.
MOST_ERRORS = 30


def told(stand_in: StandIn, *, during: dict[str, Any], after: dict[str, Any]) -> Fault:
    """A stand-in does what it is told, until it is told something else."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        await stand_in.tell(**during)
        yield
        await stand_in.tell(**after)

    return fault


def told_until_replaced(stand_in: StandIn, **during: Any) -> Fault:
    """A stand-in does what it is told until its pods are replaced, since they cannot be told anything."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        await stand_in.tell(**during)
        yield
        await stand_in.scale(0)

    return fault


def restarted(stand_in: StandIn, *, during: dict[str, Any], after: dict[str, Any]) -> Fault:
    """A stand-in comes up in another state, as a bad release does."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        await stand_in.restart(**during)
        yield
        await stand_in.restart(**after)

    return fault


def repeated(act: Callable[[], Awaitable[Any]], *, every: float, most: int = 1000, side_by_side: int = 1) -> Fault:
    """Something is done again and again."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        async def go_on() -> None:
            for _ in range(most):
                await act()
                await anyio.sleep(every)

        async with anyio.create_task_group() as group:
            for _ in range(side_by_side):
                group.start_soon(go_on)
            yield
            group.cancel_scope.cancel()

    return fault


def errors(backend: Backend) -> Fault:
    """The backend answers requests with 500."""
    return repeated(lambda: backend.provoke_error(f"{PROVOKED}-drill"), every=1.5, most=MOST_ERRORS)


def delays(stand_in: StandIn) -> Fault:
    """A service takes its time. One without objectives: where a budget burns, that pages, the ticket waits."""

    async def wait() -> None:
        await stand_in.ask("/slow", {"seconds": 0.9})

    return repeated(wait, every=0.1, side_by_side=2)


def strangers_events(clients: Clients, service: str) -> Fault:
    """Somebody who is not the sidecar delivers events, and is refused."""

    async def deliver() -> None:
        headers = {"X-Request-ID": f"e2e-{PROVOKED}-drill"}
        answer = await clients.proxies[service].request("POST", "/events/tasks", headers=headers, content=b"{}")
        assert answer.status_code == 401, f"{answer.status_code} {answer.text}"

    return repeated(deliver, every=1)


def target_removed(drills: Drills, name: str) -> Fault:
    """The Service finds its pods no more: nobody scrapes what runs."""

    def selector(value: str) -> dict[str, Any]:
        return {"spec": {"selector": {"app.kubernetes.io/name": value}}}

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        await drills.patch("Service", name, selector("nothing"))
        yield
        await drills.patch("Service", name, selector(name))

    return fault


def sidecar_removed(drills: Drills, name: str) -> Fault:
    """A release without its sidecar: where it was scraped, nobody answers."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        without = {"spec": {"template": {"spec": {"initContainers": None}}}}
        await drills.patch("Deployment", name, without)
        yield
        await drills.delete("Service", name)

    return fault


def consumer_stopped(consumer: StandIn, publisher: StandIn) -> Fault:
    """A consumer has no pod while events come in."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        await consumer.scale(0)
        await consumer.gone()
        statuses = await publisher.publish(consumer.name, 3)
        assert statuses == [204] * 3, f"the sidecar answered {statuses}"
        yield
        await consumer.scale(1)

    return fault


def events_answered(consumer: StandIn, answer: str, *, then: str) -> Fault:
    """A consumer answers what is delivered to it with something else than SUCCESS."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        await consumer.tell(answer=answer)
        await consumer.publish(consumer.name, 3)
        yield
        await (consumer.end() if then == "end" else consumer.tell(answer=then))

    return fault


def object_of(drills: Drills, file: str, name: str) -> Fault:
    """An object that is a fault by being there."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        manifest = await drills.plain(file, name)
        yield
        await drills.delete(manifest["kind"], name)

    return fault


def stand_in_with_half_of_a_component(drills: Drills, name: str) -> Fault:
    """A sidecar that is given a component with half of its credentials."""

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        stand_in = await drills.stand_in(name, sidecar="broken.yaml")
        yield
        await stand_in.end()

    return fault


def broker_stopped(kube: Kube) -> Fault:
    """There is no broker, for as long as it takes to be told so."""
    path = f"apis/apps/v1/namespaces/{kube.namespace}/statefulsets/kafka"

    async def back() -> None:
        assert (await kube.get(path))["status"].get("readyReplicas", 0) == 1, "kafka is not ready"

    @asynccontextmanager
    async def fault() -> AsyncIterator[None]:
        try:
            async with kube.without("kafka"):
                yield
        finally:
            with anyio.CancelScope(shield=True):
                await eventually(back, within=BROKER_BACK_WITHIN)

    return fault

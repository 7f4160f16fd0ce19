"""The service as it runs: what is committed is sent by itself, also after a restart, and while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog.testing

from servicekit.context import current_context

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 60


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll until the condition holds; fail at the deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():
            await asyncio.sleep(0.02)


def all_are(system: Any, state: str) -> Callable[[], Awaitable[bool]]:
    """Return the condition that there are deliveries, all of them in a state."""

    async def check() -> bool:
        found = {delivery["state"] for delivery in await system.deliveries()}
        return found == {state}

    return check


def running(system: Any) -> Any:
    """Run the app with all its background work."""
    return system.parts.service.app.router.lifespan_context(system.parts.service.app)


@pytest.fixture
def only_when_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the worker look by itself once an hour: what is sent sooner was told to it."""
    monkeypatch.setattr("notification.worker._POLL_SECONDS", 3600)


@pytest.mark.usefixtures("only_when_woken")
async def test_an_event_is_delivered_and_what_is_given_up_is_published(start: Any, receiver: Any) -> None:
    system = start(delivery_retry_first_seconds=0.01, delivery_retry_factor=1, delivery_max_attempts=2)
    await system.channel(url=receiver.url())
    async with running(system):
        await system.remind()
        await until(all_are(system, "delivered"))
        receiver.script.extend([500, 404])
        event = await system.remind()

        async def failed_once() -> bool:
            return any(delivery["last_error"] for delivery in await system.deliveries())

        await until(failed_once)
        system.clock.move(1)
        system.parts.worker.wake()

        async def buried() -> bool:
            return bool(system.publisher.published)

        await until(buried)
    ((topic, key, letter),) = system.publisher.published
    assert (topic, key, letter["data"]["event_id"]) == ("dead-letters", "notification", event["id"])


@pytest.mark.usefixtures("only_when_woken")
async def test_a_restart_resumes_what_waits(start: Any, receiver: Any) -> None:
    before = start()
    await before.channel(url=receiver.url())
    for _ in range(3):
        await before.remind()
    after = start(delivery_concurrency=1)  # so that a place has to become free again
    async with running(after):
        await until(all_are(after, "delivered"))
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == len(receiver.requests) == 3


@pytest.mark.usefixtures("only_when_woken")
async def test_a_retry_of_a_user_wakes_the_worker(start: Any, receiver: Any) -> None:
    system = start()
    receiver.script.append(404)
    await system.channel(url=receiver.url())
    async with running(system):
        await system.remind()
        await until(all_are(system, "dead"))
        (dead,) = await system.deliveries()
        await system.client.post(f"/api/v1/deliveries/{dead['id']}/retry", headers=system.user("ann"))
        await until(all_are(system, "delivered"))


async def test_stopping_gives_back_what_is_under_way(start: Any, receiver: Any) -> None:
    stopping, other = start(), start()
    receiver.script.append("hang")
    await stopping.channel(url=receiver.url())
    async with running(stopping):
        await stopping.remind()

        async def under_way() -> bool:
            return bool(receiver.requests)

        await until(under_way)
    (delivery,) = await other.deliveries()
    assert (delivery["state"], delivery["attempts"]) == ("pending", 0)


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.contract)], indirect=True)
async def test_a_database_that_goes_away_while_sending_is_asked_again(
    start: Any, receiver: Any, postgresql: Any
) -> None:
    system = start()
    receiver.script.append("hang")
    await system.channel(url=receiver.url())
    await system.remind()
    (claimed,) = await system.parts.queue.claim(1)
    with structlog.testing.capture_logs() as lines:
        await asyncio.to_thread(postgresql.stop)
        try:
            noting = asyncio.create_task(system.parts.worker._settle(claimed, None))

            async def waits() -> bool:
                assert not noting.done()
                return any(line["event"] == "an outcome waits" for line in lines)

            await until(waits)
        finally:
            await asyncio.to_thread(postgresql.start)
        await noting
    (delivery,) = await system.deliveries()
    assert delivery["state"] == "delivered"


async def test_the_lines_of_sending_carry_the_trace_and_the_user(
    start: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str | None]] = []
    system = start()

    def note(_logger: Any, _method: str, event: Any) -> Any:
        context = current_context()
        if "delivery_id" in event and context is not None:
            seen.append((context.trace_id, context.user_id))
        raise structlog.DropEvent

    trace = "0af7651916cd43dd8448eb211c80319c"
    receiver.script.extend([500, 404])
    await system.channel(url=receiver.url())
    await system.event("reminders", system.reminder() | {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    structlog.configure(processors=[note])
    try:
        await system.send_due()
        system.clock.move(100)
        await system.send_due()
    finally:
        structlog.reset_defaults()
    assert seen == [(trace, "ann")] * 2
    (letter,) = await system.dead_letters()
    assert letter["traceparent"].split("-")[1] == trace
    assert {request.headers["traceparent"].split("-")[1] for request in receiver.requests} == {trace}
    assert len({request.headers["traceparent"] for request in receiver.requests}) == 2, "a span of its own each"

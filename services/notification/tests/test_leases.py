"""Several replicas on one database: nothing is sent twice at once, and what a dead one left is sent again."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from notification.models import Base
from notification.outcomes import Claimed

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 120
ON_POSTGRESQL = pytest.mark.parametrize(
    "database", [pytest.param("postgresql", marks=pytest.mark.contract)], indirect=True
)


async def reminders(system: Any, receiver: Any, count: int, *users: str) -> None:
    """Make a channel and so many due deliveries for each user."""
    for user in users or ("ann",):
        await system.channel(user, url=receiver.url())
        for _ in range(count):
            await system.remind(user)


async def states(system: Any) -> Counter[str]:
    """Count all deliveries by state."""
    return Counter(row.state for row in await system.rows(Base.metadata.tables["deliveries"]))


@ON_POSTGRESQL
async def test_two_workers_send_each_delivery_exactly_once(start: Any, receiver: Any) -> None:
    users = [f"user-{number}" for number in range(5)]
    one, two = (start(delivery_concurrency=4) for _ in range(2))
    await reminders(one, receiver, 12, *users)
    workers = [asyncio.create_task(system.parts.worker.run()) for system in (one, two)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await states(one))["delivered"] < 60:
            assert not any(worker.done() for worker in workers)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    sent = Counter(request.headers["webhook-id"] for request in receiver.requests)
    assert len(sent) == 60
    assert set(sent.values()) == {1}
    counted = [await sent_by(system) for system in (one, two)]
    assert sum(counted) == 60
    assert all(counted), "both took part"


async def sent_by(system: Any) -> float:
    """Return how many deliveries this replica says that it made."""
    wanted = 'notifications_sent_total{channel="webhook",outcome="delivered"}'
    lines = (await system.client.get("/metrics")).text.splitlines()
    (line,) = [line for line in lines if line.startswith(wanted)]
    return float(line.removeprefix(wanted))


@ON_POSTGRESQL
async def test_claims_at_the_same_moment_share_the_deliveries(start: Any, receiver: Any) -> None:
    systems = [start(delivery_concurrency_per_user=100) for _ in range(4)]
    await reminders(systems[0], receiver, 20)
    claims = await asyncio.gather(*(system.parts.queue.claim(10) for system in systems))
    claimed = [delivery.id for claim in claims for delivery in claim]
    assert len(claimed) == len(set(claimed)) == 20


async def test_what_a_killed_replica_left_is_sent_when_its_lease_ends(start: Any, receiver: Any) -> None:
    killed, other = start(delivery_lease_seconds=60), start(delivery_lease_seconds=60)
    await reminders(killed, receiver, 1)
    (left,) = await killed.parts.queue.claim(10)
    assert await other.send_due() == 0
    killed.clock.move(59)
    assert await other.send_due() == 0, "the lease still holds"
    killed.clock.move(1)
    assert await other.send_due() == 1
    assert [request.headers["webhook-id"] for request in receiver.requests] == [str(left.id)]
    (delivery,) = await other.deliveries()
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 2)


async def test_who_lost_the_lease_has_no_say_any_more(start: Any, receiver: Any) -> None:
    slow, other = start(delivery_lease_seconds=60), start(delivery_lease_seconds=60)
    await reminders(slow, receiver, 1)
    (stale,) = await slow.parts.queue.claim(1)
    slow.clock.move(60)
    (fresh,) = await other.parts.queue.claim(1)
    queue = slow.parts.queue
    assert not await queue.delivered(stale)
    assert not await queue.retry(stale, "late", 1)
    assert not await queue.bury(stale, "late")
    assert not await queue.release(stale)
    (delivery,) = await other.deliveries()
    assert (delivery["state"], delivery["attempts"], delivery["last_error"]) == ("pending", 2, "")
    assert await other.dead_letters() == []
    assert await other.parts.queue.delivered(fresh)


async def test_a_delivery_that_kills_its_replica_ends_too(start: Any, receiver: Any) -> None:
    system = start(delivery_max_attempts=2)
    await reminders(system, receiver, 1)
    for _ in range(2):
        assert len(await system.parts.queue.claim(1)) == 1
        system.clock.move(60)
    assert await system.send_due() == 1
    assert receiver.requests == []
    (delivery,) = await system.deliveries()
    assert (delivery["state"], delivery["last_error"]) == ("dead", "a replica ended during the last attempt")
    assert len(await system.dead_letters()) == 1


async def test_a_replica_that_stops_gives_back_what_it_was_sending(start: Any, receiver: Any) -> None:
    stopping, other = start(), start()
    receiver.script.append("hang")
    await reminders(stopping, receiver, 1)
    (claimed,) = await stopping.parts.queue.claim(1)
    attempt = asyncio.create_task(stopping.parts.worker.attempt(claimed))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not receiver.requests:
            await asyncio.sleep(0.02)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    (delivery,) = await other.deliveries()
    assert (delivery["state"], delivery["attempts"]) == ("pending", 0)
    assert await other.send_due() == 1, "at once, not only when the lease ends"
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert await states(other) == {"delivered": 1}


async def test_one_user_does_not_take_all_places(start: Any, receiver: Any) -> None:
    system = start(delivery_concurrency_per_user=3)
    await reminders(system, receiver, 10, "ann")
    system.clock.move(1)
    await reminders(system, receiver, 1, "bob")
    owners = Counter(delivery.owner for delivery in await system.parts.queue.claim(10))
    assert owners == {"ann": 3, "bob": 1}
    assert await system.parts.queue.claim(10) == []
    system.clock.move(60)
    assert Counter(delivery.owner for delivery in await system.parts.queue.claim(10)) == {"ann": 3, "bob": 1}


async def test_no_more_than_asked_for_are_claimed_the_longest_due_first(start: Any, receiver: Any) -> None:
    system = start()
    await system.channel(url=receiver.url())
    events = []
    for _ in range(3):
        events.append((await system.remind())["id"])
        system.clock.move(1)
    claimed = await system.parts.queue.claim(2)
    assert [delivery.event_id for delivery in claimed] == events[:2]


def test_addresses_and_secrets_are_in_no_repr() -> None:
    assert {"address", "secret", "body"} == {
        name for name, field in Claimed.__dataclass_fields__.items() if not field.repr
    }

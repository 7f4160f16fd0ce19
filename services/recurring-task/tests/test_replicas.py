"""Two replicas on one PostgreSQL: each reminder and each occurrence exactly once."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.events import OCCURRENCE_DUE, REMINDER_DUE, TASK_COMPLETED, TASK_CREATED
from servicekit.outbox import Outbox
from testkit.events import changed, snapshot

# SQLite has no locks on rows: one replica is all that it can serve.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.contract,
    pytest.mark.parametrize("settings", ["postgresql"], indirect=True, scope="session"),
]

DUE = datetime.now(UTC) + timedelta(days=1)
DEADLINE_SECONDS = 60


class HeldOutbox(Outbox):
    """Stops in the middle of a batch, with its rows locked, until it is let go or told to fail."""

    def hold(self) -> None:
        self.reached, self.released, self.failure = asyncio.Event(), asyncio.Event(), False

    async def add(self, *arguments: Any) -> None:
        self.reached.set()
        await self.released.wait()
        if self.failure:
            raise ConnectionError("the test's replica dies here")
        await super().add(*arguments)


async def subjects(bench: Any) -> Counter[str]:
    """Return how often each reminder was published."""
    return Counter(event["data"]["reminder_id"] for event in await bench.outbox(REMINDER_DUE))


async def deliver_reminders(bench: Any, count: int) -> None:
    """Have so many tasks with a reminder each, all due at the same time."""
    await bench.deliver(*(changed(TASK_CREATED, snapshot(due_at=DUE, reminders=(0,))) for _ in range(count)))


async def test_a_batch_in_work_is_left_alone_and_taken_over_when_its_replica_dies(bench: Any, scheduler: Any) -> None:
    await deliver_reminders(bench, 70)
    first, second = scheduler(HeldOutbox), scheduler()
    held: HeldOutbox = first._outbox
    held.hold()
    async with asyncio.timeout(DEADLINE_SECONDS):
        working = asyncio.create_task(first.publish_due(DUE))
        await held.reached.wait()
        assert await second.publish_due(DUE) == 20, "the other 50 are locked"
        assert await second.publish_due(DUE) == 0
        held.failure = True
        held.released.set()
        with pytest.raises(Exception, match="database does not answer"):
            await working
        assert await second.publish_due(DUE) == 50
    found = await subjects(bench)
    assert (len(found), set(found.values())) == (70, {1})


async def test_schedulers_side_by_side_publish_each_reminder_once(bench: Any, scheduler: Any) -> None:
    await deliver_reminders(bench, 120)
    replicas = [scheduler(), scheduler()]

    async def work(replica: Any) -> int:
        done = 0
        while len(await subjects(bench)) < 120:
            done += await replica.publish_due(DUE)
        return done

    async with asyncio.timeout(DEADLINE_SECONDS):
        done = await asyncio.gather(*(work(replica) for replica in replicas))
    found = await subjects(bench)
    assert (len(found), set(found.values())) == (120, {1})
    assert sum(done) == 120
    assert all(done), f"both took a part: {done}"


async def test_running_replicas_publish_each_reminder_once(empty: Any, running: Any, until: Any) -> None:
    """The whole service twice, schedulers and relays included."""
    quick = empty.model_copy(update={"scheduler_pause_seconds": 0.1})
    due_at = datetime.now(UTC) + timedelta(seconds=3)
    async with running(quick, broken=False) as one, running(quick, broken=False) as two:
        tasks = [snapshot(due_at=due_at, reminders=(0,)) for _ in range(40)]
        for index, task in enumerate(tasks):
            await (one, two)[index % 2].deliver(changed(TASK_CREATED, task))

        async def all_out() -> bool:
            return len(one.publisher.published) + len(two.publisher.published) >= len(tasks)

        await until(all_out, "all reminders are published")

        async def settled() -> bool:
            return not await one.rows("outbox")

        await until(settled, "the outbox is empty")
        found = [event["subject"] for bench in (one, two) for event in bench.publisher.of(REMINDER_DUE)]
    assert sorted(found) == sorted(str(task.id) for task in tasks)


async def test_the_same_completion_at_two_replicas_has_one_effect(empty: Any, running: Any) -> None:
    """After a rebalance both may get it; and the same occurrence may come from two events, too."""
    values: dict[str, Any] = {
        "due_at": DUE,
        "completed_at": DUE,
        "recurrence": "FREQ=DAILY",
        "timezone": "UTC",
        "series_id": uuid.uuid4(),
        "series_start": DUE,
    }
    task = snapshot(**values)
    event, another = changed(TASK_COMPLETED, task), changed(TASK_COMPLETED, task.model_copy(update={"version": 3}))
    async with running(empty, broken=True) as one, running(empty, broken=True) as two:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(*(bench.deliver(event, another) for bench in (one, two)))
        assert len(await one.outbox(OCCURRENCE_DUE)) == 1
        assert len(await one.rows("inbox")) == 2

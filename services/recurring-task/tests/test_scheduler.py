"""When reminders are published: in time, late, or not at all, and by whom."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from recurring_task.models import Reminder, TrackedTask
from recurring_task.reminders import reminder_id
from recurring_task.scheduler import Scheduler
from servicekit.database import create_engine
from servicekit.events import (
    REMINDER_DUE,
    TASK_COMPLETED,
    TASK_CREATED,
    TASK_DELETED,
    TASK_REOPENED,
    TASK_UPDATED,
    TaskSnapshot,
)
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 60


def set_in_time(late: timedelta, *, minutes: int = 30, **values: object) -> TaskSnapshot:
    """Return a task one of whose reminders was due so long ago, and was set a week before."""
    remind_at = datetime.now(UTC) - late
    usual = {
        "due_at": remind_at + timedelta(minutes=minutes),
        "reminders": (minutes,),
        "updated_at": remind_at - timedelta(days=7),
    }
    return snapshot(**(usual | values))


async def published(bench: Any, until: Any, count: int = 1) -> list[dict[str, Any]]:
    """Wait until so many reminders are published, and return them."""

    async def enough() -> bool:
        return len(bench.publisher.of(REMINDER_DUE)) >= count

    await until(enough, f"{count} reminders are published")
    found: list[dict[str, Any]] = bench.publisher.of(REMINDER_DUE)
    return found


async def test_a_due_reminder_is_published_once_in_the_trace_of_its_task(live: Any, until: Any) -> None:
    task = set_in_time(timedelta(minutes=2), title="call home")
    event = changed(TASK_CREATED, task)
    await live.deliver(event)
    (found,) = await published(live, until)
    assert (found["partitionkey"], found["subject"], found["source"]) == (
        "ann",
        str(task.id),
        "/services/recurring-task",
    )
    assert found["traceparent"].split("-")[1] == event["traceparent"].split("-")[1]
    assert task.due_at
    expected = str(reminder_id(task.id, task.due_at - timedelta(minutes=30)))
    assert (found["id"], found["data"]["reminder_id"]) == (expected, expected)
    data = found["data"]
    assert (data["owner"], data["task_id"], data["title"]) == ("ann", str(task.id), "call home")
    assert data["minutes_before"] == 30
    assert datetime.fromisoformat(data["due_at"]) == task.due_at
    assert datetime.fromisoformat(data["remind_at"]) == task.due_at - timedelta(minutes=30)
    samples = await live.samples()
    assert samples["reminders_due_total{outcome=published}"] == 1
    assert samples["reminder_delay_seconds_count{}"] == 1
    assert 119 < samples["reminder_delay_seconds_sum{}"] < 120 + DEADLINE_SECONDS


async def test_a_reminder_waits_for_its_time_and_no_longer(bench: Any, until: Any, empty: Any) -> None:
    """The pause is 5 s and nothing else wakes the scheduler: it has to know when the next one is due."""
    due_at = datetime.now(UTC) + timedelta(seconds=1.5)
    bench.publisher.broken = False
    await bench.deliver(changed(TASK_CREATED, snapshot(due_at=due_at, reminders=(0,))))
    await published(bench, until)
    samples = await bench.samples()
    assert 0 <= samples["reminder_delay_seconds_sum{}"] < 3


async def test_an_event_wakes_the_scheduler(
    empty: Any, until: Any, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Scheduler] = []

    class Seen(Scheduler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    async def asleep() -> bool:
        return made[0]._wake.statistics().tasks_waiting > 0

    monkeypatch.setattr("recurring_task.service.Scheduler", Seen)
    async with running(empty.model_copy(update={"scheduler_pause_seconds": 600}), broken=False) as bench:
        await until(asleep, "the scheduler sleeps")
        await bench.deliver(changed(TASK_CREATED, set_in_time(timedelta(minutes=2))))
        await published(bench, until)


async def test_an_edit_after_it_was_sent_sends_nothing_more(live: Any, until: Any) -> None:
    task = set_in_time(timedelta(minutes=2))
    await live.deliver(changed(TASK_CREATED, task))
    await published(live, until)
    # Edited before the reminder's time, told after it was sent.
    edited = task.model_copy(update={"version": 2, "title": "edited"})
    await live.deliver(changed(TASK_UPDATED, edited))
    moved = edited.model_copy(update={"version": 3, "due_at": task.due_at and task.due_at + timedelta(seconds=30)})
    await live.deliver(changed(TASK_UPDATED, moved))
    found = await published(live, until, 2)
    assert [event["data"]["due_at"] for event in found] == [
        moment.isoformat().replace("+00:00", "Z") for moment in (task.due_at, moved.due_at) if moment
    ], "a moved one is another reminder, the same one is not sent again"


async def test_done_and_reopened_at_once_sends_nothing_more(live: Any, until: Any) -> None:
    """Who completes the task on its reminder, and reopens it within the minute, has been reminded."""
    task = set_in_time(timedelta(seconds=5))
    await live.deliver(changed(TASK_CREATED, task))
    await published(live, until)
    now = datetime.now(UTC)
    done = task.model_copy(update={"version": 2, "completed_at": now, "updated_at": now})
    reopened = done.model_copy(update={"version": 3, "completed_at": None})
    await live.deliver(changed(TASK_COMPLETED, done), changed(TASK_REOPENED, reopened))
    another = set_in_time(timedelta(seconds=5))
    await live.deliver(changed(TASK_CREATED, another))

    async def passed_by() -> bool:
        return str(another.id) in [event["subject"] for event in live.publisher.of(REMINDER_DUE)]

    await until(passed_by, "a later reminder is published")
    found = [event["subject"] for event in live.publisher.of(REMINDER_DUE)]
    assert found == [str(task.id), str(another.id)]


@pytest.mark.parametrize("kind", [TASK_COMPLETED, TASK_DELETED])
async def test_done_and_deleted_tasks_remind_nobody(scheduler: Any, bench: Any, kind: Any) -> None:
    due_at = datetime.now(UTC) + timedelta(hours=1)
    over, open_one = (snapshot(due_at=due_at, reminders=(0,)) for _ in range(2))
    await bench.deliver(changed(TASK_CREATED, over), changed(TASK_CREATED, open_one))
    done = over.model_copy(update={"version": 2, "completed_at": datetime.now(UTC)})
    await bench.deliver(changed(kind, done))
    assert await scheduler().publish_due(due_at) == 1
    assert [event["subject"] for event in await bench.outbox(REMINDER_DUE)] == [str(open_one.id)]


async def test_what_passed_while_the_service_was_down_is_sent_late_or_dropped(live: Any, until: Any) -> None:
    day = timedelta(days=1)
    late = set_in_time(day + timedelta(minutes=20))  # its task was due 23:50 ago
    dropped = set_in_time(day + timedelta(minutes=40))  # and this one's 24:10 ago
    ahead = set_in_time(3 * day, minutes=7 * 24 * 60)  # three days late, but the task is due in four
    await live.deliver(*(changed(TASK_CREATED, task) for task in (dropped, late, ahead)))
    found = await published(live, until, 2)

    async def told() -> bool:
        return (await live.samples())["reminders_due_total{outcome=dropped}"] == 1

    await until(told, "the dropped one is counted")
    assert {event["subject"] for event in found} == {str(late.id), str(ahead.id)}
    rows = await live.rows("reminders")
    assert all(row.done_at for row in rows), "a dropped one is done with, too"


async def test_a_long_queue_goes_out_at_once(empty: Any, running: Any, until: Any) -> None:
    """More than two batches: what is due does not wait for the pause of a minute."""
    task_id, now = uuid.uuid4(), datetime.now(UTC)
    task = {"task_id": task_id, "owner": "ann", "title": "", "version": 1, "deleted": False, "traceparent": ""}
    common = {"task_id": task_id, "owner": "ann", "remind_at": now, "done_at": None}
    engine = create_engine(empty, application="tests", pooled=False)
    async with engine.begin() as connection:
        await connection.execute(insert(TrackedTask).values(task | {"seen_at": now}))
        rows = [common | {"id": uuid.uuid4(), "minutes_before": minutes} for minutes in range(120)]
        await connection.execute(insert(Reminder), rows)
    await engine.dispose()
    async with running(empty.model_copy(update={"scheduler_pause_seconds": 60}), broken=False) as bench:
        found = await published(bench, until, 120)
    assert len({event["id"] for event in found}) == len(found) == 120


async def test_the_gauges_tell_what_waits_and_that_the_scheduler_lives(live: Any, until: Any) -> None:
    started = (await live.samples())["scheduler_last_look_timestamp_seconds{}"]
    due_at = datetime.now(UTC) + timedelta(days=1)
    await live.deliver(changed(TASK_CREATED, snapshot(due_at=due_at, reminders=(5, 10, 15))))

    async def counted() -> bool:
        return (await live.samples())["reminders_pending{}"] == 3

    async def looked() -> bool:
        return (await live.samples())["scheduler_last_look_timestamp_seconds{}"] > started

    await until(counted, "three reminders are pending")
    await until(looked, "the scheduler looks again")
    assert abs(started - datetime.now(UTC).timestamp()) < DEADLINE_SECONDS

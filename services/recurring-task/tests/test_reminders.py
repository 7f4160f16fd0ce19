"""Which reminders are kept: the newest event of a task decides, in whatever order they come."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recurring_task.metrics import RecurringTaskMetrics
from recurring_task.reminders import prune, reminder_id
from servicekit.database import Database, create_engine
from servicekit.events import (
    DEAD_LETTER,
    REMINDER_DUE,
    TASK_COMPLETED,
    TASK_CREATED,
    TASK_DELETED,
    TASK_REOPENED,
    TASK_UPDATED,
    TaskSnapshot,
)
from servicekit.metrics import Metrics
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC).replace(microsecond=0)
DUE = NOW + timedelta(days=2)


def task(**values: object) -> TaskSnapshot:
    """Return a task that is due in two days and has two reminders."""
    return snapshot(**({"due_at": DUE, "reminders": (30, 60)} | values))


def after(first: TaskSnapshot, **values: object) -> TaskSnapshot:
    """Return the task's next version."""
    return TaskSnapshot.model_validate(first.model_dump() | {"version": first.version + 1} | values)


async def kept(bench: Any) -> dict[int, bool]:
    """Return what is stored: minutes before the due date, and whether it is still pending."""
    return {row.minutes_before: row.done_at is None for row in await bench.rows("reminders")}


async def test_a_created_task_brings_its_reminders(bench: Any) -> None:
    created = task(reminders=(60, 30, 30))
    await bench.deliver(changed(TASK_CREATED, created))
    rows = {row.minutes_before: row for row in await bench.rows("reminders")}
    assert set(rows) == {30, 60}
    assert rows[30].remind_at == DUE - timedelta(minutes=30)
    assert (rows[30].task_id, rows[30].owner, rows[30].done_at) == (created.id, "ann", None)


@pytest.mark.parametrize(
    ("kind", "values", "left"),
    [
        (TASK_UPDATED, {"reminders": (60, 90)}, {60, 90}),
        (TASK_UPDATED, {"reminders": ()}, set()),
        (TASK_UPDATED, {"due_at": None}, set()),
        (TASK_UPDATED, {"title": "another"}, {30, 60}),
        (TASK_COMPLETED, {"completed_at": NOW}, set()),
        (TASK_UPDATED, {"completed_at": NOW, "title": "an edit of a done task"}, set()),
        (TASK_DELETED, {}, set()),
    ],
)
async def test_a_newer_event_replaces_them(bench: Any, kind: Any, values: dict[str, Any], left: set[int]) -> None:
    first = task()
    other = task()
    await bench.deliver(changed(TASK_CREATED, first), changed(TASK_CREATED, other))
    await bench.deliver(changed(kind, after(first, **values)))
    rows = await bench.rows("reminders")
    assert {row.minutes_before for row in rows if row.task_id == first.id} == left
    assert {row.minutes_before for row in rows if row.task_id == other.id} == {30, 60}, "another task's stay"


async def test_a_moved_due_date_moves_them(bench: Any) -> None:
    first = task()
    await bench.deliver(changed(TASK_CREATED, first))
    await bench.deliver(changed(TASK_UPDATED, after(first, due_at=DUE + timedelta(days=1))))
    rows = await bench.rows("reminders")
    assert {row.remind_at for row in rows} == {DUE + timedelta(days=1, minutes=-minutes) for minutes in (30, 60)}


async def test_reopening_brings_them_back(bench: Any) -> None:
    first = task()
    done = after(first, completed_at=NOW)
    await bench.deliver(changed(TASK_CREATED, first), changed(TASK_COMPLETED, done))
    await bench.deliver(changed(TASK_REOPENED, after(done, completed_at=None)))
    assert await kept(bench) == {30: True, 60: True}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=lambda order: "".join(map(str, order)))
async def test_any_order_ends_alike(bench: Any, order: tuple[int, ...]) -> None:
    created = task()
    updated = after(created, reminders=(90,))
    completed = after(updated, completed_at=NOW)
    reopened = after(completed, completed_at=None, reminders=(15,))
    events = [
        changed(TASK_CREATED, created),
        changed(TASK_UPDATED, updated),
        changed(TASK_COMPLETED, completed),
        changed(TASK_REOPENED, reopened),
    ]
    await bench.deliver(*(events[index] for index in order))
    assert await kept(bench) == {15: True}


@pytest.mark.parametrize("late", [TASK_CREATED, TASK_UPDATED, TASK_REOPENED])
async def test_a_deletion_is_final_and_keeps_no_title(bench: Any, late: Any) -> None:
    created = task(title="a secret")
    # A deletion carries the version of the last change.
    await bench.deliver(changed(TASK_CREATED, created), changed(TASK_DELETED, created))
    await bench.deliver(changed(late, after(created)))
    assert await kept(bench) == {}
    (row,) = await bench.rows("tasks")
    assert (row.deleted, row.title) == (True, "")


async def test_a_reminder_that_was_past_when_it_was_set_is_not_taken(bench: Any) -> None:
    soon = task(due_at=NOW + timedelta(minutes=45), reminders=(30, 60, 90))
    await bench.deliver(changed(TASK_CREATED, soon))
    assert await kept(bench) == {30: True}
    assert await bench.outbox(REMINDER_DUE) == []


async def test_a_pending_one_stays_when_the_task_is_edited_after_its_time(empty: Any, bench: Any) -> None:
    # It was set in time, its moment passed while this service was down, then the title was changed.
    set_at = NOW - timedelta(hours=3)
    first = task(due_at=NOW + timedelta(hours=1), reminders=(120,), updated_at=set_at)
    await bench.deliver(changed(TASK_CREATED, first))
    await bench.deliver(changed(TASK_UPDATED, after(first, title="edited", updated_at=NOW)))
    assert set(await kept(bench)) == {120}


async def test_a_reminder_without_a_moment_goes_to_the_dead_letters(bench: Any) -> None:
    broken = task(reminders=(30, 60), due_at=datetime(1, 1, 1, 0, 45, tzinfo=UTC))
    await bench.deliver(changed(TASK_CREATED, broken))
    assert await bench.rows("reminders") == await bench.rows("tasks") == []
    (letter,) = await bench.outbox(DEAD_LETTER)
    assert f"task {broken.id} has a reminder 60 minutes before it is due" in letter["data"]["reason"]


def test_the_id_is_of_task_and_moment() -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    elsewhere = DUE.astimezone(tz=None)
    assert reminder_id(first, DUE) == reminder_id(first, elsewhere)
    assert len({reminder_id(first, DUE), reminder_id(second, DUE), reminder_id(first, DUE + timedelta(minutes=1))}) == 3


async def test_pruning_forgets_only_what_no_event_can_concern(empty: Any, bench: Any) -> None:
    waiting, gone = task(), task(reminders=())
    await bench.deliver(changed(TASK_CREATED, waiting), changed(TASK_CREATED, gone))
    metrics = Metrics()
    RecurringTaskMetrics(metrics.registry)
    database = Database(create_engine(empty, application="tests", pooled=False), metrics)
    await prune(database, datetime.now(UTC) - timedelta(hours=1))
    assert {row.task_id for row in await bench.rows("tasks")} == {waiting.id, gone.id}
    await prune(database, datetime.now(UTC) + timedelta(hours=1))
    assert {row.task_id for row in await bench.rows("tasks")} == {waiting.id}, "it has reminders that are pending"
    assert await kept(bench) == {30: True, 60: True}
    await database.close()

"""What follows a completed recurring task: dates, ends, refusals, and each occurrence once."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from recurring_task.occurrences import following
from servicekit.events import (
    DEAD_LETTER,
    OCCURRENCE_DUE,
    TASK_COMPLETED,
    TASK_CREATED,
    TASK_REOPENED,
    TaskSnapshot,
    parse_event,
)
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio

NINE = datetime(2030, 1, 31, 9, tzinfo=UTC)


def recurring(rule: str = "FREQ=DAILY", **values: object) -> TaskSnapshot:
    """Return a completed task that was due at nine and done an hour later."""
    usual: dict[str, object] = {
        "title": "water the plants",
        "due_at": NINE,
        "completed_at": NINE + timedelta(hours=1),
        "recurrence": rule,
        "timezone": "UTC",
        "series_id": uuid.uuid4(),
        "series_start": NINE,
        "reminders": (10,),
    }
    return snapshot(**(usual | values))


@pytest.mark.parametrize(
    ("values", "due"),
    [
        pytest.param({}, "2030-02-01T09", id="done a little late: the next day"),
        pytest.param({"completed_at": NINE - timedelta(hours=2)}, "2030-02-01T09", id="done early: not the same day"),
        pytest.param({"completed_at": NINE - timedelta(days=5)}, "2030-02-01T09", id="days early: none before it"),
        pytest.param({"completed_at": NINE + timedelta(days=10, hours=1)}, "2030-02-11T09", id="overdue: no heap"),
        pytest.param({"completed_at": NINE + timedelta(days=10)}, "2030-02-11T09", id="done when one is due"),
        pytest.param({"due_at": NINE + timedelta(hours=7)}, "2030-02-01T09", id="put off: back to the rule"),
        pytest.param({"rule": "FREQ=MONTHLY"}, "2030-03-31T09", id="no 31 February"),
        pytest.param({"rule": "FREQ=MONTHLY;BYMONTHDAY=-1"}, "2030-02-28T09", id="last of the month"),
        pytest.param(
            {"timezone": "Europe/Berlin", "rule": "FREQ=MONTHLY;INTERVAL=2"}, "2030-03-31T08", id="summer time"
        ),
        pytest.param({"rule": "FREQ=DAILY;COUNT=2"}, "2030-02-01T09", id="the last of COUNT"),
        pytest.param({"rule": "FREQ=DAILY;COUNT=1"}, None, id="COUNT is used up"),
        pytest.param(
            {"rule": "FREQ=DAILY;COUNT=5", "completed_at": NINE + timedelta(days=9)}, None, id="COUNT counts left out"
        ),
        pytest.param({"rule": "FREQ=DAILY;UNTIL=20300201T090000Z"}, "2030-02-01T09", id="UNTIL is included"),
        pytest.param({"rule": "FREQ=DAILY;UNTIL=20300131"}, None, id="UNTIL is past"),
    ],
)
async def test_the_next_date(values: dict[str, Any], due: str | None) -> None:
    task = recurring(**values)
    assert task.completed_at
    found = await following(task, task.completed_at)
    assert (found.due_at.isoformat() if found else None) == (f"{due}:00:00+00:00" if due else None)


async def test_completed_publishes_the_next_occurrence(bench: Any) -> None:
    task = recurring("FREQ=WEEKLY", occurrence=3, description="all of them", priority="high", tags=("home",))
    event = changed(TASK_COMPLETED, task)
    await bench.deliver(event)
    (found,) = await bench.outbox(OCCURRENCE_DUE)
    published = parse_event(json.dumps(found))
    assert (published.key, published.subject) == ("ann", str(task.id))
    assert published.source == "/services/recurring-task"
    assert published.traceparent.split("-")[1] == event["traceparent"].split("-")[1], "the trace goes on"
    assert published.data.model_dump() == {
        "owner": "ann",
        "series_id": task.series_id,
        "occurrence": 4,
        "previous_task_id": task.id,
        "title": "water the plants",
        "description": "all of them",
        "due_at": NINE + timedelta(days=7),
        "priority": "high",
        "tags": ("home",),
        "recurrence": "FREQ=WEEKLY",
        "timezone": "UTC",
        "series_start": NINE,
        "reminders": (10,),
    }
    assert (await bench.samples())["occurrences_published_total{outcome=published}"] == 1


async def test_a_redelivery_publishes_nothing_more(bench: Any) -> None:
    event = changed(TASK_COMPLETED, recurring())
    await bench.deliver(event, event, event)
    assert len(await bench.outbox(OCCURRENCE_DUE)) == 1


async def test_done_reopened_and_done_again_publishes_once(bench: Any) -> None:
    task = recurring()
    reopened = task.model_copy(update={"version": 2, "completed_at": None})
    later = NINE + timedelta(days=3)
    again = task.model_copy(update={"version": 3, "completed_at": later, "recurrence": "FREQ=WEEKLY"})
    await bench.deliver(changed(TASK_COMPLETED, task), changed(TASK_REOPENED, reopened), changed(TASK_COMPLETED, again))
    (found,) = await bench.outbox(OCCURRENCE_DUE)
    assert found["data"]["due_at"] == "2030-02-01T09:00:00Z"
    assert (await bench.samples())["occurrences_published_total{outcome=duplicate}"] == 1


async def test_the_event_of_an_occurrence_always_has_the_same_id(bench: Any) -> None:
    first = recurring()
    await bench.deliver(changed(TASK_COMPLETED, first))
    second = first.model_copy(update={"occurrence": 2})
    await bench.deliver(changed(TASK_COMPLETED, second))
    found = [event["id"] for event in await bench.outbox(OCCURRENCE_DUE)]
    assert first.series_id
    assert found == [str(uuid.uuid5(first.series_id, number)) for number in ("2", "3")]


async def test_an_ended_series_publishes_nothing_and_says_so(bench: Any) -> None:
    with capture_logs() as log:
        await bench.deliver(changed(TASK_COMPLETED, recurring("FREQ=DAILY;COUNT=1")))
    assert await bench.outbox(OCCURRENCE_DUE) == []
    assert (await bench.samples())["occurrences_published_total{outcome=ended}"] == 1
    assert "the series has ended" in [line["event"] for line in log]


async def test_a_task_that_does_not_recur_has_no_next(bench: Any) -> None:
    await bench.deliver(
        changed(TASK_COMPLETED, snapshot(completed_at=NINE)), changed(TASK_CREATED, recurring(completed_at=None))
    )
    assert await bench.rows("outbox") == []
    samples = await bench.samples()
    assert {value for name, value in samples.items() if name.startswith("occurrences_published_total")} == {0}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"rule": "FREQ=SECONDLY"}, "FREQ must be one of"),
        ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is not a time zone"),
        ({"timezone": None, "series_id": None}, "it has no timezone, series_id"),
        ({"due_at": None}, "it has no due_at"),
        ({"title": "x" * 201}, "title: String should have at most 200 characters"),
    ],
)
async def test_a_broken_series_goes_to_the_dead_letters(bench: Any, values: dict[str, Any], reason: str) -> None:
    task = recurring(**values)
    await bench.deliver(changed(TASK_COMPLETED, task))
    assert await bench.outbox(OCCURRENCE_DUE) == []
    (letter,) = await bench.outbox(DEAD_LETTER)
    assert f"the recurrence of task {task.id}" in letter["data"]["reason"]
    assert reason in letter["data"]["reason"]
    assert (letter["data"]["consumer"], letter["data"]["event_type"]) == ("recurring-task", TASK_COMPLETED.type)
    assert (await bench.samples())["occurrences_published_total{outcome=refused}"] == 1

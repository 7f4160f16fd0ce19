"""From an event to deliveries: whose, which, and once."""

from __future__ import annotations

from typing import Any

import pytest

from notification.models import Base
from servicekit.events import (
    OCCURRENCE_DUE,
    TASK_COMPLETED,
    TASK_CREATED,
    TASK_DELETED,
    TASK_EVENTS,
)
from testkit.events import changed, deliver, snapshot

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_the_sidecar_is_asked_for_reminders_and_tasks(system: Any) -> None:
    subscribed = (await system.client.get("/dapr/subscribe")).json()
    assert [(entry["topic"], entry["route"]) for entry in subscribed] == [
        ("reminders", "/events/reminders"),
        ("tasks", "/events/tasks"),
    ]


async def test_each_channel_gets_the_events_that_it_wants(system: Any, receiver: Any) -> None:
    reminders = await system.channel(url=receiver.url())
    tasks = await system.channel(url=receiver.url(), events=["task.created", "task.completed"])
    everything = await system.channel(url=receiver.url(), events=["reminder.due", *(kind.name for kind in TASK_EVENTS)])
    task = snapshot()
    await system.remind()
    for kind in TASK_EVENTS:
        await system.event("tasks", changed(kind, task))
    found = {(delivery["channel_id"], delivery["event"]) for delivery in await system.deliveries()}
    assert found == {
        (reminders, "reminder.due"),
        (tasks, "task.created"),
        (tasks, "task.completed"),
        (everything, "reminder.due"),
        *((everything, kind.name) for kind in TASK_EVENTS),
    }


async def test_an_event_triggers_its_owners_channels_only(system: Any, receiver: Any) -> None:
    await system.channel("ann", url=receiver.url())
    await system.channel("bob", url=receiver.url())
    await system.remind("ann")
    assert len(await system.deliveries("ann")) == 1
    assert await system.deliveries("bob") == []
    assert await system.send_due() == 1
    assert len(receiver.requests) == 1


async def test_a_redelivered_event_has_no_second_effect(system: Any, receiver: Any) -> None:
    await system.channel(url=receiver.url())
    event = system.reminder()
    for _ in range(3):
        await system.event("reminders", event)
    assert await system.send_due() == 1
    await system.event("reminders", event)
    assert await system.send_due() == 0
    assert len(receiver.requests) == 1


async def test_the_constraint_holds_where_the_inbox_has_forgotten(system: Any, receiver: Any) -> None:
    await system.channel(url=receiver.url())
    event = system.reminder()
    await system.event("reminders", event)
    inbox = system.parts.messaging.tables.inbox
    async with system.parts.database.transaction() as session:
        await session.execute(inbox.delete())
    await system.event("reminders", event)
    assert len(await system.deliveries()) == 1


async def test_the_inbox_row_and_the_deliveries_commit_together(system: Any, receiver: Any) -> None:
    await system.channel(url=receiver.url())
    event = system.reminder()
    broken = event | {"id": "y" * 129}
    assert await deliver(system.client, "reminders", broken) == "SUCCESS", "given to the dead letters"
    assert await system.deliveries() == []
    (letter,) = await system.dead_letters()
    assert letter["data"]["consumer"] == "notification"
    assert "id" in letter["data"]["reason"]
    await system.event("reminders", event)
    inbox = {row.event_id for row in await system.rows(Base.metadata.tables["inbox"])}
    (delivery,) = await system.deliveries()
    assert delivery["event_id"] == event["id"]
    assert event["id"] in inbox


async def test_an_event_without_a_channel_leaves_nothing_but_its_id(system: Any) -> None:
    event = system.reminder()
    await system.event("reminders", event)
    assert await system.deliveries() == []
    assert [row.event_id for row in await system.rows(Base.metadata.tables["inbox"])] == [event["id"]]


async def test_deliveries_keep_the_trace_of_their_event(system: Any, receiver: Any) -> None:
    await system.channel(url=receiver.url())
    await system.event("reminders", system.reminder() | {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    (row,) = await system.rows(Base.metadata.tables["deliveries"])
    assert row.traceparent.split("-")[1] == TRACE
    await system.send_due()
    assert receiver.requests[0].headers["traceparent"].split("-")[1] == TRACE


async def test_the_body_tells_what_happened(system: Any, receiver: Any) -> None:
    await system.channel(url=receiver.url(), events=["reminder.due", "task.completed", "task.deleted"])
    event = system.reminder()
    await system.event("reminders", event)
    await system.send_due()
    data = event["data"]
    assert receiver.requests[0].json == {
        "version": 1,
        "type": "reminder.due",
        "event_id": event["id"],
        "timestamp": event["time"],
        "data": {
            "task": {"id": data["task_id"], "title": "water the plants", "due_at": data["due_at"]},
            "reminder": {"id": data["reminder_id"], "remind_at": data["remind_at"], "minutes_before": 15},
        },
    }
    task = snapshot(title="Ä \u2028 \U0001f331", tags=("a",), timezone="Europe/Berlin", recurrence="FREQ=DAILY")
    for kind in (TASK_COMPLETED, TASK_DELETED):
        await system.event("tasks", changed(kind, task))
        await system.send_due()
        told = receiver.requests[-1].json
        assert (told["type"], told["data"]["actor"]) == (kind.name, "ann")
        assert told["data"]["task"] == {
            "id": str(task.id),
            "title": task.title,
            "due_at": None,
            "description": "",
            "priority": "normal",
            "tags": ["a"],
            "completed_at": None,
            "recurrence": "FREQ=DAILY",
            "timezone": "Europe/Berlin",
            "version": 1,
        }


async def test_other_events_on_the_topics_are_let_pass(system: Any) -> None:
    await system.channel(url="https://receiver.example/", events=["task.created"])
    event = changed(TASK_CREATED, snapshot()) | {"type": "sluice.task.forgotten.v1"}
    await system.event("tasks", event)
    event = changed(TASK_CREATED, snapshot()) | {"type": OCCURRENCE_DUE.type}
    await system.event("tasks", event)
    assert await system.deliveries() == []

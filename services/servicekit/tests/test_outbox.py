"""The outbox: what is committed is published in order, whatever happens to the broker or to the relay."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from servicekit import outbox
from servicekit.dapr import PublishError
from servicekit.events import TASK_CREATED, Event, TaskChanged, new_event
from testkit.events import KeptPublisher, deliver, snapshot
from testkit.example import Example, ExampleSettings, note, samples

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 30
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def created(**values: Any) -> Event[TaskChanged]:
    """Return the event of a new task."""
    task = snapshot(**values)
    data = TaskChanged(actor=task.owner, after=task)
    return new_event(TASK_CREATED, data, source="example", subject=str(task.id), key=task.owner)


async def store(example: Example, *events: Event[TaskChanged]) -> list[str]:
    """Commit events in one transaction and return their ids."""
    async with example.database.transaction() as session:
        for event in events:
            await example.outbox.add(session, TASK_CREATED, event)
    return [event.id for event in events]


def ids(publisher: KeptPublisher) -> list[str]:
    """Return the ids of what was published, in order."""
    return [event["id"] for _, _, event in publisher.published]


class Interrupted(KeptPublisher):
    """A relay that dies right after its first event reached the broker."""

    died = False

    async def publish(self, topic: str, key: str, event: str) -> None:
        await super().publish(topic, key, event)
        if not self.died:
            self.died = True
            raise asyncio.CancelledError


async def test_a_change_and_its_event_commit_together(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    example = Example(events_settings, publisher)
    event = created()
    async with example.database.transaction() as session:
        await note(session, event)
        await example.outbox.add(session, TASK_CREATED, event)
    assert (await example.effects(), await example.pending()) == ([event.id], 1)


async def test_a_change_and_its_event_roll_back_together(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    example = Example(events_settings, publisher)
    event = created()

    async def fail() -> None:
        async with example.database.transaction() as session:
            await note(session, event)
            await example.outbox.add(session, TASK_CREATED, event)
            raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        await fail()
    assert (await example.effects(), await example.pending()) == ([], 0)
    await example.outbox.publish_batch()
    assert publisher.published == []


async def test_events_go_out_whole_and_in_order(events_settings: ExampleSettings, publisher: KeptPublisher) -> None:
    example = Example(events_settings, publisher)
    events = [created(title=f"task {number}") for number in range(60)]
    stored = await store(example, *events[:30]) + await store(example, *events[30:])
    assert await example.outbox.publish_batch(), "there are more than one batch takes"
    assert not await example.outbox.publish_batch()
    assert ids(publisher) == stored
    assert await example.pending() == 0
    topic, key, first = publisher.published[0]
    assert (topic, key, first["partitionkey"]) == ("tasks", "ann", "ann")
    assert first["dataschema"] == "urn:sluice:schema:sluice.task.created.v1"
    assert first["data"]["after"]["title"] == "task 0"


async def test_a_broker_that_is_away_loses_and_doubles_nothing(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    example = Example(events_settings, publisher)
    stored = await store(example, created(), created())
    publisher.broken = True
    for _ in range(3):
        with pytest.raises(PublishError):
            await example.outbox.publish_batch()
    stored += await store(example, created())
    assert (await example.pending(), publisher.published) == (3, [])
    publisher.broken = False
    await example.outbox.publish_batch()
    await example.outbox.publish_batch()
    assert ids(publisher) == stored
    async with example.client() as client:
        found = await samples(client)
    label = "outcome={},type=sluice.task.created.v1"
    assert found[f"events_published_total{{{label.format('failed')}}}"] == 3
    assert found[f"events_published_total{{{label.format('published')}}}"] == 3
    assert found["outbox_pending_events{}"] == 0
    assert found["outbox_oldest_event_age_seconds{}"] == 0


async def test_the_backlog_can_be_seen(events_settings: ExampleSettings, publisher: KeptPublisher) -> None:
    example = Example(events_settings, publisher)
    await store(example, created(), created())
    publisher.broken = True
    with pytest.raises(PublishError):
        await example.outbox.publish_batch()
    async with example.client() as client:
        found = await samples(client)
    assert found["outbox_pending_events{}"] == 2
    assert 0 < found["outbox_oldest_event_age_seconds{}"] < DEADLINE_SECONDS


async def test_the_broker_fails_in_the_middle_of_a_batch(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    example = Example(events_settings, publisher)
    stored = await store(example, created(), created(), created())

    class Failing(KeptPublisher):
        async def publish(self, topic: str, key: str, event: str) -> None:
            self.broken = len(self.published) == 2
            await super().publish(topic, key, event)

    failing = Failing()
    with pytest.raises(PublishError):
        await Example(events_settings, failing).outbox.publish_batch()
    await example.outbox.publish_batch()
    assert (ids(failing), ids(publisher)) == (stored[:2], stored[2:]), "what went out before the failure stays out"


async def test_a_relay_that_dies_before_its_commit_publishes_again_and_the_reader_knows(
    events_settings: ExampleSettings,
) -> None:
    publisher = Interrupted()
    writer = Example(events_settings, publisher)
    (stored,) = await store(writer, created())
    with pytest.raises(asyncio.CancelledError):
        await writer.outbox.publish_batch()
    assert await writer.pending() == 1, "nobody saw that it went out"
    await writer.outbox.publish_batch()
    assert ids(publisher) == [stored, stored]
    reader = Example(events_settings, KeptPublisher(), {TASK_CREATED: note})
    async with reader.client() as client:
        assert [await deliver(client, "tasks", event) for _, _, event in publisher.published] == ["SUCCESS", "SUCCESS"]
    assert await reader.effects() == [stored]


async def test_the_relay_does_not_wait_for_its_next_look(
    events_settings: ExampleSettings, publisher: KeptPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_POLL_SECONDS", 3600)
    example = Example(events_settings, publisher)
    async with example.serving(), asyncio.timeout(DEADLINE_SECONDS):
        for number in range(1, 4):
            await store(example, created())
            example.outbox.wake()
            while len(publisher.published) < number:
                await asyncio.sleep(0.01)


async def test_the_relay_comes_back_by_itself(
    events_settings: ExampleSettings, publisher: KeptPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_POLL_SECONDS", 0.01)
    example = Example(events_settings, publisher)
    publisher.broken = True
    async with example.serving() as client, asyncio.timeout(DEADLINE_SECONDS):
        stored = await store(example, created())
        example.outbox.wake()
        failed = "events_published_total{outcome=failed,type=sluice.task.created.v1}"
        while (await samples(client))[failed] < 2:
            await asyncio.sleep(0.01)
        assert (await client.get("/readyz")).status_code == 200, "requests can be served without the broker"
        publisher.broken = False
        while not publisher.published:
            await asyncio.sleep(0.01)
        assert ids(publisher) == stored


async def test_what_the_relay_logs_has_the_trace_of_the_change(
    on_sqlite: ExampleSettings, publisher: KeptPublisher, lines: Any
) -> None:
    example = Example(on_sqlite, publisher)
    event = created().model_copy(update={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    await store(example, event)
    await example.outbox.publish_batch()
    (line,) = [line for line in lines() if line["message"] == "event published"]
    assert (line["trace_id"], line["event_id"], line["type"]) == (TRACE, event.id, event.type)
    assert uuid.UUID(line["task_id"])

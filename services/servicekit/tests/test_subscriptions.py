"""Deliveries: who may make them, what the sidecar is answered, and that each event has one effect."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.events import REMINDER_DUE, TASK_CREATED, TASK_DELETED, Event
from servicekit.subscriptions import TOKEN_HEADER
from testkit.events import APP_TOKEN, KeptPublisher, changed, deliver, snapshot
from testkit.example import Example, ExampleSettings, note, samples

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 30
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def example(events_settings: ExampleSettings, publisher: KeptPublisher) -> Example:
    """A service that notes created tasks."""
    return Example(events_settings, publisher, {TASK_CREATED: note})


async def test_the_sidecar_is_told_the_topics(events_settings: ExampleSettings, publisher: KeptPublisher) -> None:
    handlers = {TASK_CREATED: note, TASK_DELETED: note, REMINDER_DUE: note}
    async with Example(events_settings, publisher, handlers).client() as client:
        told = (await client.get("/dapr/subscribe")).json()
    assert [(entry["pubsubname"], entry["topic"], entry["route"]) for entry in told] == [
        ("pubsub", "reminders", "/events/reminders"),
        ("pubsub", "tasks", "/events/tasks"),
    ]
    assert {entry["metadata"]["rawPayload"] for entry in told} == {"true"}


async def test_an_event_has_its_effect_once(example: Example) -> None:
    event = changed(TASK_CREATED, snapshot())
    async with example.client() as client:
        assert [await deliver(client, "tasks", event) for _ in range(3)] == ["SUCCESS"] * 3
        found = await samples(client)
    assert await example.effects() == [event["id"]]
    label = "outcome={},type=sluice.task.created.v1"
    assert found[f"events_consumed_total{{{label.format('done')}}}"] == 1
    assert found[f"events_consumed_total{{{label.format('duplicate')}}}"] == 2
    assert found["event_delay_seconds_count{type=sluice.task.created.v1}"] == 1
    assert found["event_handling_duration_seconds_count{type=sluice.task.created.v1}"] == 3


@pytest.mark.contract
async def test_deliveries_at_the_same_moment_have_one_effect(
    on_postgresql: ExampleSettings, publisher: KeptPublisher
) -> None:
    replicas = [Example(on_postgresql, publisher, {TASK_CREATED: note}) for _ in range(2)]
    event = changed(TASK_CREATED, snapshot())
    async with replicas[0].client() as first, replicas[1].client() as second:
        answers = await asyncio.gather(*(deliver(client, "tasks", event) for client in (first, second) * 4))
    assert answers == ["SUCCESS"] * 8
    assert await replicas[0].effects() == [event["id"]]


@pytest.mark.parametrize("token", [None, "", "the-other-sidecar", APP_TOKEN.upper(), APP_TOKEN + " x"])
async def test_only_the_sidecar_delivers(example: Example, token: str | None) -> None:
    headers = {} if token is None else {TOKEN_HEADER: token}
    content = json.dumps(changed(TASK_CREATED, snapshot())).encode()
    async with example.client() as client:
        response = await client.post("/events/tasks", content=content, headers=headers)
    assert (response.status_code, response.json()["type"]) == (401, "urn:sluice:problem:not-the-sidecar")
    assert await example.effects() == []


async def test_a_token_file_that_was_emptied_lets_nobody_in(example: Example, events_settings: ExampleSettings) -> None:
    events_settings.dapr_app_token_file.write_text("\n")
    async with example.client() as client:
        response = await client.post("/events/tasks", content=b"{}", headers={TOKEN_HEADER: ""})
    assert response.status_code == 401


async def test_a_rotated_token_serves_at_once(example: Example, events_settings: ExampleSettings) -> None:
    events_settings.dapr_app_token_file.write_text("another-token\n")
    async with example.client() as client:
        assert await deliver(client, "tasks", changed(TASK_CREATED, snapshot()), token="another-token") == "SUCCESS"


async def test_a_topic_that_nobody_reads_is_not_swallowed(example: Example) -> None:
    async with example.client() as client:
        response = await client.post("/events/reminders", content=b"{}", headers={TOKEN_HEADER: APP_TOKEN})
    assert response.status_code == 421, "to 404 the sidecar answers by dropping the event"


async def test_other_types_of_a_topic_are_ignored(example: Example, publisher: KeptPublisher) -> None:
    known = changed(TASK_DELETED, snapshot())
    unknown = changed(TASK_CREATED, snapshot()) | {"type": "sluice.task.archived.v1"}
    foreign = changed(TASK_CREATED, snapshot()) | {"type": "com.example.unrelated"}
    async with example.client() as client:
        assert [await deliver(client, "tasks", event) for event in (known, unknown, foreign)] == ["SUCCESS"] * 3
        found = await samples(client)
    assert (await example.effects(), await example.pending()) == ([], 0)
    assert found["events_consumed_total{outcome=ignored,type=unknown}"] == 2
    assert not [name for name in found if "archived" in name or "unrelated" in name], "a label is a type that we know"


async def test_a_handler_works_under_the_events_trace_and_user(
    on_sqlite: ExampleSettings, publisher: KeptPublisher, lines: Any
) -> None:
    event = changed(TASK_CREATED, snapshot("bob")) | {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    async with Example(on_sqlite, publisher, {TASK_CREATED: note}).client() as client:
        await deliver(client, "tasks", event)
    handled, access = [line for line in lines() if line["message"] in ("event handled", "request served")]
    for line in (handled, access):
        assert (line["trace_id"], line["user_id"]) == (TRACE, "bob")
    assert handled["event_id"] == event["id"]


async def test_what_follows_the_commit_is_told(example: Example) -> None:
    told: list[str] = []
    example.messaging.subscriptions.after_commit(lambda event: told.append(event.id))
    event = changed(TASK_CREATED, snapshot())
    async with example.client() as client:
        for _ in range(2):
            await deliver(client, "tasks", event)
    assert told == [event["id"]]


async def test_every_series_is_there_from_the_start(example: Example) -> None:
    async with example.client() as client:
        found = await samples(client)
    for outcome in ("done", "duplicate", "ignored", "retried", "dead"):
        assert found[f"events_consumed_total{{outcome={outcome},type=sluice.task.created.v1}}"] == 0
    assert found["events_consumed_total{outcome=dead,type=unknown}"] == 0


@pytest.mark.contract
async def test_a_database_that_is_away_delays_and_nothing_more(
    on_postgresql: ExampleSettings, event_database: Any, publisher: KeptPublisher
) -> None:
    example = Example(on_postgresql, publisher, {TASK_CREATED: note})
    event = changed(TASK_CREATED, snapshot())
    async with example.client() as client:
        await asyncio.to_thread(event_database.stop)
        try:
            for _ in range(7):  # more often than a handler may fail by itself
                assert await deliver(client, "tasks", event) == "RETRY"
            assert await deliver(client, "tasks", b"no event") == "RETRY", "its dead letter waits too"
        finally:
            await asyncio.to_thread(event_database.start)
        assert [await deliver(client, "tasks", event) for _ in range(2)] == ["SUCCESS"] * 2
        assert [await deliver(client, "tasks", b"no event") for _ in range(2)] == ["SUCCESS"] * 2
    assert await example.effects() == [event["id"]]
    assert await example.pending() == 1


async def test_a_handlers_own_database_error_counts_against_the_event(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    async def twice(session: AsyncSession, event: Event[Any]) -> None:
        await note(session, event)
        await note(session, event.model_copy(update={"id": None}))  # the column is not nullable

    example = Example(events_settings, publisher, {TASK_CREATED: twice})
    event = changed(TASK_CREATED, snapshot())
    async with example.client() as client:
        answers = [await deliver(client, "tasks", event) for _ in range(5)]
    assert answers == ["RETRY"] * 4 + ["SUCCESS"], "a contradiction that stays must not block the topic"
    assert (await example.effects(), await example.pending()) == ([], 1)


async def test_without_a_database_a_service_starts_and_says_so(
    events_on: Any, publisher: KeptPublisher, free_port: int
) -> None:
    settings = events_on(database_url=f"postgresql+asyncpg://x@127.0.0.1:{free_port}/x", readiness_timeout_seconds=5)
    example = Example(settings, publisher, {TASK_CREATED: note})
    async with example.serving() as client:
        assert await deliver(client, "tasks", changed(TASK_CREATED, snapshot())) == "RETRY"
        ready: httpx.Response = await client.get("/readyz")
        assert (ready.status_code, (await client.get("/healthz")).status_code) == (503, 200)

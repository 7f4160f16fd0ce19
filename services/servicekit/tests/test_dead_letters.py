"""What can never have its effect goes to the dead letters once, with its reason, and blocks nobody."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.events import DEAD_LETTER, TASK_CREATED, Event
from servicekit.problems import Problem
from servicekit.subscriptions import TOKEN_HEADER, Refused
from testkit.events import APP_TOKEN, KeptPublisher, changed, deliver, snapshot
from testkit.example import Example, ExampleSettings, note, samples

pytestmark = pytest.mark.anyio


@pytest.fixture
def example(events_settings: ExampleSettings, publisher: KeptPublisher) -> Example:
    """A service that notes created tasks."""
    return Example(events_settings, publisher, {TASK_CREATED: note})


async def letters(example: Example, publisher: KeptPublisher) -> list[dict[str, Any]]:
    """Publish what waits, and return the data of the dead letters."""
    await example.outbox.publish_batch()
    return [event["data"] for event in publisher.of(DEAD_LETTER)]


def without(name: str) -> dict[str, Any]:
    """Return an event that lacks a member."""
    return {key: value for key, value in changed(TASK_CREATED, snapshot()).items() if key != name}


MALFORMED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "body: Invalid JSON"),
    "no text": (b"\xff\xfe\x00", "body: Invalid JSON"),
    "no object": (b"[]", "body: Input should be"),
    "nothing": (b"", "body: Invalid JSON"),
    "too deep": (b'{"type":' * 5000, "body: Invalid JSON"),
    "no type": (json.dumps(without("type")).encode(), "type: Field required"),
    "no id": (json.dumps(without("id")).encode(), "id: Field required"),
    "an id with NUL": (json.dumps(without("id") | {"id": "a\0b"}).encode(), "id: String should match pattern"),
    "no time": (json.dumps(without("time")).encode(), "time: Field required"),
    "no key": (json.dumps(without("partitionkey")).encode(), "partitionkey: Field required"),
    "no data": (json.dumps(without("data")).encode(), "data: Field required"),
    "another spec": (json.dumps(without("specversion") | {"specversion": "0.3"}).encode(), "specversion: Input"),
    "no task": (json.dumps(without("data") | {"data": {"actor": "ann"}}).encode(), "neither before nor after"),
    "bad actor": (json.dumps(without("data") | {"data": {"actor": "a b"}}).encode(), "data.actor: String should match"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_the_malformed_is_a_dead_letter_once(example: Example, publisher: KeptPublisher, name: str) -> None:
    body, reason = MALFORMED[name]
    async with example.client() as client:
        assert [await deliver(client, "tasks", body) for _ in range(3)] == ["SUCCESS"] * 3
    (letter,) = await letters(example, publisher)
    assert reason in letter["reason"]
    assert (letter["consumer"], letter["topic"], letter["event_type"]) == ("example", "tasks", "unknown")
    assert letter["event"] == body[:32_000].decode(errors="replace")
    assert await example.effects() == []


async def test_an_unknown_version_of_a_known_type_is_one(example: Example, publisher: KeptPublisher) -> None:
    event = changed(TASK_CREATED, snapshot()) | {"type": "sluice.task.created.v7"}
    async with example.client() as client:
        assert await deliver(client, "tasks", event) == "SUCCESS"
        found = await samples(client)
    (letter,) = await letters(example, publisher)
    assert letter["reason"] == "unknown version of sluice.task.created: '7', known: 1"
    assert found["events_consumed_total{outcome=dead,type=unknown}"] == 1


async def test_the_reason_holds_no_value(example: Example, publisher: KeptPublisher) -> None:
    event = changed(TASK_CREATED, snapshot()) | {"time": "my secret"}
    async with example.client() as client:
        await deliver(client, "tasks", event)
    assert "my secret" not in (await letters(example, publisher))[0]["reason"]


async def test_what_a_handler_refuses_is_one_at_once(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    async def refuse(session: AsyncSession, event: Event[Any]) -> None:
        await note(session, event)
        raise Refused("there is no such series")

    example = Example(events_settings, publisher, {TASK_CREATED: refuse})
    event = changed(TASK_CREATED, snapshot())
    async with example.client() as client:
        assert [await deliver(client, "tasks", event) for _ in range(2)] == ["SUCCESS"] * 2
    (letter,) = await letters(example, publisher)
    assert (letter["reason"], letter["attempts"]) == ("there is no such series", 1)
    assert (letter["event_id"], letter["event_type"]) == (event["id"], event["type"])
    assert json.loads(letter["event"])["data"] == event["data"]
    assert await example.effects() == [], "what the handler did before it refused is undone"


async def test_what_fails_five_times_is_one(events_settings: ExampleSettings, publisher: KeptPublisher) -> None:
    async def fail(_session: AsyncSession, _event: Event[Any]) -> None:
        raise KeyError("a bug")

    example = Example(events_settings, publisher, {TASK_CREATED: fail})
    poison, other = changed(TASK_CREATED, snapshot()), changed(TASK_CREATED, snapshot())
    async with example.client() as client:
        assert await deliver(client, "tasks", other) == "RETRY"
        answers = [await deliver(client, "tasks", poison) for _ in range(6)]
        found = await samples(client)
    assert answers == ["RETRY"] * 4 + ["SUCCESS"] * 2
    (letter,) = await letters(example, publisher)
    assert (letter["event_id"], letter["attempts"]) == (poison["id"], 5)
    assert letter["reason"] == "KeyError: 'a bug'"
    assert found["events_consumed_total{outcome=retried,type=sluice.task.created.v1}"] == 5
    assert found["events_consumed_total{outcome=dead,type=sluice.task.created.v1}"] == 1


async def test_a_failure_that_passes_leaves_one_effect(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    failures = iter([KeyError("once"), TimeoutError("twice"), None])

    async def sometimes(session: AsyncSession, event: Event[Any]) -> None:
        await note(session, event)
        if (failure := next(failures)) is not None:
            raise failure

    example = Example(events_settings, publisher, {TASK_CREATED: sometimes})
    event = changed(TASK_CREATED, snapshot())
    async with example.client() as client:
        assert [await deliver(client, "tasks", event) for _ in range(4)] == ["RETRY", "RETRY", "SUCCESS", "SUCCESS"]
    assert await example.effects() == [event["id"]]
    assert await letters(example, publisher) == []


async def test_what_waits_for_another_is_never_given_up(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    async def later(_session: AsyncSession, _event: Event[Any]) -> None:
        raise Problem(503, "The mail server does not answer.", kind="mail-unavailable")

    example = Example(events_settings, publisher, {TASK_CREATED: later})
    event = changed(TASK_CREATED, snapshot())
    async with example.client() as client:
        assert [await deliver(client, "tasks", event) for _ in range(12)] == ["RETRY"] * 12
    assert await letters(example, publisher) == []


async def test_what_is_too_large_is_one_and_its_text_is_cut(example: Example, publisher: KeptPublisher) -> None:
    body = json.dumps(changed(TASK_CREATED, snapshot(description="ü" * 200_000)), ensure_ascii=False).encode()
    async with example.client() as client:
        assert await deliver(client, "tasks", body) == "SUCCESS"
    (letter,) = await letters(example, publisher)
    assert letter["reason"] == f"{len(body)} bytes, more than 262144"
    assert len(letter["event"]) <= 32_000
    assert body.decode().startswith(letter["event"][:1000])


async def test_deliveries_may_be_larger_than_requests_but_not_without_bound(example: Example) -> None:
    headers = {TOKEN_HEADER: APP_TOKEN}
    async with example.client() as client:
        at_limit = await client.post("/events/tasks", content=b" " * 2 * 1024 * 1024, headers=headers)
        beyond = await client.post("/events/tasks", content=b" " * (2 * 1024 * 1024 + 1), headers=headers)
        elsewhere = await client.post("/healthz", content=b" " * (256 * 1024 + 1), headers=headers)
    assert [response.status_code for response in (at_limit, beyond, elsewhere)] == [200, 413, 413]


async def test_a_dead_letter_makes_no_other(events_settings: ExampleSettings, publisher: KeptPublisher) -> None:
    async def fail(_session: AsyncSession, _event: Event[Any]) -> None:
        raise KeyError("a bug")

    example = Example(events_settings, publisher, {DEAD_LETTER: fail, TASK_CREATED: fail})
    async with example.client() as client:
        await deliver(client, "tasks", b"{")
        await example.outbox.publish_batch()
        (letter,) = publisher.of(DEAD_LETTER)
        answers = [await deliver(client, "dead-letters", letter) for _ in range(6)]
    assert answers[:4] == ["RETRY"] * 4
    assert answers[4] == "SUCCESS"
    assert await example.pending() == 0


async def test_a_letter_of_any_event_is_one_that_readers_take(
    events_settings: ExampleSettings, example: Example, publisher: KeptPublisher
) -> None:
    """Its text may grow in JSON, yet it stays below what a reader takes."""
    async with example.client() as client:
        await deliver(client, "tasks", b"\x00\xff" * 200_000)
    await example.outbox.publish_batch()
    (letter,) = publisher.of(DEAD_LETTER)
    noted = Example(events_settings, publisher, {DEAD_LETTER: note})
    async with noted.client() as client:
        assert await deliver(client, "dead-letters", letter) == "SUCCESS"
    assert await noted.effects() == [letter["id"]]


async def test_many_poisons_at_once_are_counted_apart(
    events_settings: ExampleSettings, publisher: KeptPublisher
) -> None:
    async def fail(_session: AsyncSession, event: Event[Any]) -> None:
        raise KeyError(event.subject)

    example = Example(events_settings, publisher, {TASK_CREATED: fail})
    events = [changed(TASK_CREATED, snapshot()) for _ in range(3)]
    async with example.client() as client:
        for _ in range(5):
            await asyncio.gather(*(deliver(client, "tasks", event) for event in events))
    found = {letter["event_id"] for letter in await letters(example, publisher)}
    assert found == {event["id"] for event in events}

"""Against a real receiver: what is tried again, when, and what is given up with which reason."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
import structlog.testing

from notification.backoff import Backoff

pytestmark = pytest.mark.anyio

# No jitter worth speaking of is left where first, factor and cap are one value: the wait is half of it to all of it.
QUICK = {"delivery_retry_first_seconds": 100, "delivery_retry_factor": 1, "delivery_retry_cap_seconds": 100}


async def only(system: Any) -> dict[str, Any]:
    """Return the one delivery there is."""
    (delivery,) = await system.deliveries()
    return dict(delivery)


async def test_what_arrives_is_delivered_at_once(system: Any, receiver: Any) -> None:
    await system.channel(url=receiver.url())
    await system.remind()
    waiting = await only(system)
    assert (waiting["state"], waiting["attempts"], waiting["delivered_at"]) == ("pending", 0, None)
    assert await system.send_due() == 1
    done = await only(system)
    assert (done["state"], done["attempts"], done["last_error"], done["next_attempt_at"]) == ("delivered", 1, "", None)
    assert datetime.fromisoformat(done["delivered_at"]) == system.clock.now
    assert await system.send_due() == 0
    (request,) = receiver.requests
    assert (request.method, request.target) == ("POST", "/hook?token=hidden")
    assert request.headers["webhook-id"] == done["id"]


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429])
async def test_passing_failures_are_tried_again_with_the_same_id(start: Any, receiver: Any, status: int) -> None:
    system = start(**QUICK)
    receiver.script.extend([status, status])
    await system.channel(url=receiver.url())
    await system.remind()
    for attempt in (1, 2):
        assert await system.send_due() == 1
        failed = await only(system)
        assert (failed["state"], failed["attempts"]) == ("pending", attempt)
        assert failed["last_error"] == f"the receiver answered {status}"
        wait = (datetime.fromisoformat(failed["next_attempt_at"]) - system.clock.now).total_seconds()
        assert 50 <= wait <= 100
        assert await system.send_due() == 0, "not before its time"
        system.clock.move(100)
    assert await system.send_due() == 1
    assert (await only(system))["state"] == "delivered"
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.requests}) == 3
    assert await system.dead_letters() == []


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 401, 403, 404, 405, 409, 410, 413, 422, 451])
async def test_refusals_are_final(system: Any, receiver: Any, status: int) -> None:
    receiver.script.append(status)
    await system.channel(url=receiver.url())
    event = await system.remind()
    assert await system.send_due() == 1
    dead = await only(system)
    assert (dead["state"], dead["attempts"], dead["next_attempt_at"]) == ("dead", 1, None)
    assert f"answered {status}" in dead["last_error"]
    system.clock.move(1_000_000)
    assert await system.send_due() == 0
    (letter,) = await system.dead_letters()
    assert (letter["partitionkey"], letter["subject"]) == ("notification", event["id"])
    assert letter["type"] == "sluice.dead-letter.v1"
    data = letter["data"]
    assert (data["consumer"], data["topic"], data["attempts"]) == ("notification", "reminders", 1)
    assert (data["event_id"], data["event_type"]) == (event["id"], "sluice.reminder.due.v1")
    assert f"answered {status}" in data["reason"]
    assert dead["id"] in data["reason"]
    assert json.loads(data["event"])["event_id"] == event["id"]


async def test_after_the_last_attempt_it_is_given_up(start: Any, receiver: Any) -> None:
    system = start(delivery_max_attempts=3, **QUICK)
    receiver.script.extend([500, 503, 502])
    await system.channel(url=receiver.url())
    event = await system.remind()
    for _ in range(3):
        assert await system.dead_letters() == []
        assert await system.send_due() == 1
        system.clock.move(100)
    assert await system.send_due() == 0
    dead = await only(system)
    assert (dead["state"], dead["attempts"], dead["last_error"]) == ("dead", 3, "the receiver answered 502")
    (letter,) = await system.dead_letters()
    assert (letter["data"]["attempts"], letter["data"]["event_id"]) == (3, event["id"])


async def test_the_state_and_the_dead_letter_commit_together(
    system: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullError(Exception):
        """The outbox cannot take it."""

    async def fail(*_: Any) -> None:
        raise FullError

    receiver.script.append(404)
    await system.channel(url=receiver.url())
    await system.remind()
    (claimed,) = await system.parts.queue.claim(1)
    with monkeypatch.context() as patch:
        patch.setattr(system.parts.messaging.outbox, "add", fail)
        with pytest.raises(FullError):
            await system.parts.queue.bury(claimed, "the receiver answered 404")
    assert (await only(system))["state"] == "pending"
    assert await system.parts.queue.bury(claimed, "the receiver answered 404")
    assert (await only(system))["state"] == "dead"
    assert len(await system.dead_letters()) == 1


async def test_the_receiver_may_ask_for_a_longer_rest_but_not_beyond_the_cap(start: Any, receiver: Any) -> None:
    system = start(delivery_retry_first_seconds=1, delivery_retry_factor=1, delivery_retry_cap_seconds=1000)
    said = b"HTTP/1.1 503 Said\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n"
    waits = ((b"600", 600, 600), (b"900000", 1000, 1000), (b"Fri, 31 Dec 2027 23:59:59 GMT", 0.5, 1), (b"-5", 0.5, 1))
    await system.channel(url=receiver.url())
    await system.remind()
    for asked, least, most in waits:
        receiver.script.append(said % asked)
        assert await system.send_due() == 1
        due = datetime.fromisoformat((await only(system))["next_attempt_at"])
        assert least <= (due - system.clock.now).total_seconds() <= most, asked
        system.clock.now = due


def test_the_waits_grow_to_the_cap_and_half_of_each_is_random() -> None:
    backoff = Backoff(first=5, factor=3, cap=3600)
    assert [backoff.seconds(attempt, 1) for attempt in range(1, 9)] == [5, 15, 45, 135, 405, 1215, 3600, 3600]
    assert [backoff.seconds(attempt, 0) for attempt in (1, 2, 8)] == [2.5, 7.5, 1800]
    assert backoff.seconds(1, 0.5) == 3.75
    assert backoff.seconds(50, 1) == 3600


async def test_the_log_tells_each_attempt_without_the_url(start: Any, receiver: Any) -> None:
    system = start(delivery_max_attempts=2, **QUICK)
    receiver.script.extend([500, 500, 200])
    await system.channel(url=receiver.url())
    with structlog.testing.capture_logs() as lines:
        await system.remind()
        for _ in range(2):
            await system.send_due()
            system.clock.move(100)
        await system.remind()
        await system.send_due()
    told = [(line["log_level"], line["event"]) for line in lines if "delivery_id" in line]
    assert told == [
        ("warning", "notification failed"),
        ("warning", "notification given up"),
        ("info", "notification delivered"),
    ]
    assert "hidden" not in repr(lines), "a webhook's URL may hold a token"


async def test_a_mistake_of_ours_is_tried_again_and_stops_nobody(
    system: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await system.channel(url=receiver.url())
    await system.remind()

    def broken(*_: Any) -> str:
        raise KeyError("a mistake of ours")

    with monkeypatch.context() as patch:
        patch.setattr("notification.webhook.traceparent", broken)
        assert await system.send_due() == 1
    failed = await only(system)
    assert (failed["state"], failed["last_error"]) == ("pending", "the service failed: KeyError")
    system.clock.move(10)
    assert await system.send_due() == 1
    assert (await only(system))["state"] == "delivered"

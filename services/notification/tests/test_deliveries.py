"""The deliveries API: the user's own, by pages, and another try for a dead one."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest

from notification.models import Base

pytestmark = pytest.mark.anyio

DELIVERIES = "/api/v1/deliveries"


async def page(system: Any, user: str = "ann", **query: Any) -> dict[str, Any]:
    """Read one page."""
    answered = await system.client.get(DELIVERIES, params=query, headers=system.user(user))
    assert answered.status_code == 200, answered.text
    return dict(answered.json())


async def test_pages_show_each_delivery_once_newest_first(system: Any, receiver: Any) -> None:
    for _ in range(2):
        await system.channel(url=receiver.url())
    events = []
    for number in range(5):
        events.append((await system.remind())["id"])
        system.clock.move(number % 2)  # some of the same moment
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        got = await page(system, limit=3, **({"cursor": cursor} if cursor else {}))
        found += got["items"]
        cursor = got["next_cursor"]
        if cursor is None:
            break
        assert len(got["items"]) == 3
        await system.remind()  # what comes meanwhile shifts nothing
    assert len(found) == 10
    assert len({delivery["id"] for delivery in found}) == 10
    assert {delivery["event_id"] for delivery in found} == set(events)
    assert [delivery["created_at"] for delivery in found] == sorted((d["created_at"] for d in found), reverse=True)


async def test_filters(system: Any, receiver: Any) -> None:
    good, bad = await system.channel(url=receiver.url()), await system.channel(url="http://10.0.0.1.invalid/")
    await system.remind()
    receiver.script.append(404)
    await system.send_due()
    dead = (await page(system, state="dead"))["items"]
    assert [(delivery["channel_id"], delivery["state"]) for delivery in dead] == [(good, "dead")]
    pending = (await page(system, channel_id=bad, state="pending"))["items"]
    assert [delivery["last_error"] for delivery in pending] == ["the host has no address: 10.0.0.1.invalid"]
    assert (await page(system, state="delivered"))["items"] == []


def cursor(*content: Any) -> str:
    """Make up a cursor."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"cursor": "x"}, "#/cursor"),
        ({"cursor": "é"}, "#/cursor"),
        ({"cursor": cursor(1, 2)}, "#/cursor"),
        ({"cursor": cursor("2026-01-01T00:00:00", uuid.UUID(int=0).hex)}, "#/cursor"),
        ({"cursor": cursor("2026-01-01T00:00:00+00:00", "x")}, "#/cursor"),
        ({"limit": 0}, "#/limit"),
        ({"limit": 101}, "#/limit"),
        ({"state": "lost"}, "#/state"),
        ({"owner": "bob"}, "#/owner"),
    ],
)
async def test_queries_that_are_not_understood_are_refused(system: Any, query: dict[str, Any], pointer: str) -> None:
    answered = await system.client.get(DELIVERIES, params=query, headers=system.user("ann"))
    assert answered.status_code == 422, answered.text
    assert [error["pointer"] for error in answered.json()["errors"]] == [pointer]


async def test_a_dead_delivery_can_be_tried_again(start: Any, receiver: Any) -> None:
    system = start(delivery_max_attempts=2)
    receiver.script.extend([404, 500, 200])
    await system.channel(url=receiver.url())
    await system.remind()
    await system.send_due()
    (dead,) = (await page(system))["items"]
    assert dead["state"] == "dead"
    path = f"{DELIVERIES}/{dead['id']}/retry"
    revived = await system.client.post(path, headers=system.user("ann"))
    assert revived.status_code == 200
    assert (revived.json()["state"], revived.json()["attempts"]) == ("pending", 0)
    again = await system.client.post(path, headers=system.user("ann"))
    assert (again.status_code, again.json()["type"]) == (409, "urn:sluice:problem:delivery-not-dead")
    assert await system.send_due() == 1
    system.clock.move(10)
    assert await system.send_due() == 1, "it has all its attempts again"
    (delivered,) = (await page(system))["items"]
    assert (delivered["state"], delivered["attempts"]) == ("delivered", 2)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len(await system.dead_letters()) == 1
    after = await system.client.post(path, headers=system.user("ann"))
    assert after.status_code == 409


async def test_one_user_neither_sees_nor_triggers_anothers(system: Any, receiver: Any) -> None:
    receiver.script.append(404)
    await system.channel("ann", url=receiver.url())
    await system.remind("ann")
    await system.send_due()
    (dead,) = (await page(system, "ann"))["items"]
    assert (await page(system, "bob"))["items"] == []
    assert (await page(system, "bob", channel_id=dead["channel_id"]))["items"] == []
    refused = await system.client.post(f"{DELIVERIES}/{dead['id']}/retry", headers=system.user("bob"))
    missing = await system.client.post(f"{DELIVERIES}/{uuid.uuid4()}/retry", headers=system.user("bob"))
    assert refused.status_code == missing.status_code == 404
    assert refused.json()["detail"] == missing.json()["detail"]
    assert await system.send_due() == 0
    assert len(receiver.requests) == 1


async def test_what_is_long_over_is_forgotten_and_what_waits_is_not(start: Any, receiver: Any) -> None:
    system = start(deliveries_kept_days=3)
    receiver.script.extend([200, 404, 500])
    await system.channel(url=receiver.url())
    for _ in range(3):
        await system.remind()
        await system.send_due()
    system.clock.move(3 * 86_400)
    await system.remind()
    await system.parts.deliveries.forget()
    assert len(await system.rows(Base.metadata.tables["deliveries"])) == 4
    system.clock.move(1)
    await system.parts.deliveries.forget()
    states = [row.state for row in await system.rows(Base.metadata.tables["deliveries"])]
    assert states == ["pending", "pending"]

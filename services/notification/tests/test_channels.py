"""The channels API: what it takes, what it shows, and whose it is."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
import structlog.testing

from notification.models import Base
from servicekit.events import TASK_CREATED
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio

CHANNELS = "/api/v1/channels"
URL = "https://receiver.example/hook?token=hidden"
SECRET = "whsec_" + "A" * 32
WEBHOOK = {"kind": "webhook", "url": URL}
MAIL = {"smtp_host": "mail.example", "smtp_from": "sluice@example.org"}


async def test_a_channel_is_made_read_listed_and_deleted(system: Any) -> None:
    ann = system.user("ann")
    made = await system.client.post(CHANNELS, json=WEBHOOK, headers=ann)
    assert made.status_code == 201
    view = made.json()
    assert made.headers["location"] == f"{CHANNELS}/{view['id']}"
    assert (view["kind"], view["url"], view["address"], view["signed"]) == ("webhook", URL, None, False)
    assert view["events"] == ["reminder.due"], "reminders only, unless asked for more"
    assert (await system.client.get(made.headers["location"], headers=ann)).json() == view
    assert (await system.client.get(CHANNELS, headers=ann)).json() == {"items": [view]}
    assert (await system.client.delete(made.headers["location"], headers=ann)).status_code == 204
    gone = await system.client.get(made.headers["location"], headers=ann)
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:sluice:problem:channel-not-found")


async def test_the_secret_goes_in_and_never_comes_out(system: Any) -> None:
    with structlog.testing.capture_logs() as lines:
        ann = system.user("ann")
        made = await system.client.post(CHANNELS, json=WEBHOOK | {"secret": SECRET}, headers=ann)
        listed = await system.client.get(CHANNELS, headers=ann)
        refused = await system.client.post(CHANNELS, json=WEBHOOK | {"secret": SECRET + "?"}, headers=ann)
    assert made.json()["signed"] is True
    assert refused.status_code == 422
    for shown in (made.text, listed.text, refused.text, repr(lines)):
        assert "whsec_A" not in shown
    (stored,) = await system.rows(Base.metadata.tables["channels"])
    assert stored.secret == SECRET, "signing needs it in clear: README.md says so"


async def test_a_mail_channel_has_an_address(start: Any) -> None:
    system = start(**MAIL)
    content = {"kind": "email", "address": "ann.o'hara+tasks@mail.example.org", "events": ["task.created"]}
    made = await system.client.post(CHANNELS, json=content, headers=system.user("ann"))
    assert (made.status_code, made.json()["address"], made.json()["url"]) == (201, content["address"], None)


async def test_without_a_mail_server_there_are_no_mail_channels(system: Any) -> None:
    content = {"kind": "email", "address": "ann@example.org"}
    refused = await system.client.post(CHANNELS, json=content, headers=system.user("ann"))
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:sluice:problem:email-unavailable")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"kind": "pigeon"}, "#/kind"),
        ({"kind": "webhook"}, "#"),
        (WEBHOOK | {"address": "ann@example.org"}, "#"),
        ({"kind": "email", "address": "ann@example.org", "url": URL}, "#"),
        ({"kind": "email", "address": "ann@example.org", "secret": SECRET}, "#"),
        (WEBHOOK | {"colour": "red"}, "#/colour"),
        (WEBHOOK | {"events": []}, "#/events"),
        (WEBHOOK | {"events": ["task.created", "task.eaten"]}, "#/events/1"),
        (WEBHOOK | {"secret": "hunter2"}, "#/secret"),
        (WEBHOOK | {"secret": "whsec_c2hvcnQ="}, "#/secret"),
        ({"kind": "webhook", "url": "ftp://receiver.example/"}, "#/url"),
        ({"kind": "webhook", "url": "file:///etc/passwd"}, "#/url"),
        ({"kind": "webhook", "url": "http:///hook"}, "#/url"),
        ({"kind": "webhook", "url": "receiver.example"}, "#/url"),
        ({"kind": "webhook", "url": "https://ann:pass@receiver.example/"}, "#/url"),
        ({"kind": "webhook", "url": "https://receiver.example/\r\nX-Evil: 1"}, "#/url"),
        ({"kind": "webhook", "url": "https://receiver.example:0/"}, "#/url"),
        ({"kind": "webhook", "url": "https://receiver.example/" + "x" * 2000}, "#/url"),
        ({"kind": "webhook", "url": "https://receiver.example/" + "é" * 1900}, "#/url"),
        ({"kind": "webhook", "url": "http://169.254.169.254/latest/meta-data"}, "#/url"),
        ({"kind": "webhook", "url": "http://[::1]:3500/v1.0/publish"}, "#/url"),
        ({"kind": "email", "address": "ann"}, "#/address"),
        ({"kind": "email", "address": "ann@example.org\r\nBcc: bob@example.org"}, "#/address"),
        ({"kind": "email", "address": "Ann <ann@example.org>"}, "#/address"),
        ({"kind": "email", "address": "a" * 65 + "@example.org"}, "#/address"),
    ],
)
async def test_what_could_never_deliver_is_refused(start: Any, content: dict[str, Any], pointer: str) -> None:
    system = start(**MAIL)
    refused = await system.client.post(CHANNELS, json=content, headers=system.user("ann"))
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert await system.rows(Base.metadata.tables["channels"]) == []


async def test_a_user_has_so_many_channels_and_no_more(start: Any) -> None:
    system = start(max_channels_per_user=2)
    for _ in range(2):
        await system.channel(url=URL)
    refused = await system.client.post(CHANNELS, json=WEBHOOK, headers=system.user("ann"))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:sluice:problem:too-many-channels")
    await system.channel("bob", url=URL)


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.contract)], indirect=True)
async def test_requests_that_come_together_do_not_pass_the_bound(start: Any) -> None:
    system = start(max_channels_per_user=1)
    ann = system.user("ann")
    answers = await asyncio.gather(*(system.client.post(CHANNELS, json=WEBHOOK, headers=ann) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_one_user_never_sees_another_users_channels(system: Any) -> None:
    channel = await system.channel("ann", url=URL)
    bob = system.user("bob")
    assert (await system.client.get(CHANNELS, headers=bob)).json() == {"items": []}
    for method in ("GET", "DELETE"):
        answered = await system.client.request(method, f"{CHANNELS}/{channel}", headers=bob)
        missing = await system.client.request(method, f"{CHANNELS}/{uuid.uuid4()}", headers=bob)
        assert answered.status_code == missing.status_code == 404
        assert answered.json()["detail"] == missing.json()["detail"]
    assert len((await system.client.get(CHANNELS, headers=system.user("ann"))).json()["items"]) == 1


@pytest.mark.parametrize("path", [CHANNELS, "/api/v1/deliveries"])
async def test_nobody_is_served_without_a_token(system: Any, path: str) -> None:
    assert (await system.client.get(path)).status_code == 401
    forged = {"Authorization": "Bearer a.b.c"}
    assert (await system.client.get(path, headers=forged)).status_code == 401


async def test_a_deleted_channel_takes_its_deliveries_along(system: Any, receiver: Any) -> None:
    wanted = {"url": receiver.url(), "events": ["task.created"]}
    channel, other = await system.channel(**wanted), await system.channel(**wanted)
    await system.event("tasks", changed(TASK_CREATED, snapshot()))
    await system.client.delete(f"{CHANNELS}/{channel}", headers=system.user("ann"))
    assert [delivery["channel_id"] for delivery in await system.deliveries()] == [other]
    assert await system.send_due() == 1
    assert len(receiver.requests) == 1

"""notification: channels, deliveries to a receiver that fails as it is told to, and what becomes of them."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.e2e.kube import Kube
from tests.e2e.support import PROVOKED, Backend, Client, eventually, problem, shown

from sluice.adapters.kubernetes.service_proxy import ServiceProxy

pytestmark = pytest.mark.anyio

PORT = 8000
CHANNELS, DELIVERIES = "/api/v1/channels", "/api/v1/deliveries"
# The first pause after a failure is 5 s at most, unless the chart's values say less.
RETRIED_WITHIN = 30.0
REFUSED = 422


@pytest.mark.smoke
async def test_a_change_is_delivered_to_the_channel_that_asked_for_it(
    backend: Backend, client: Callable[..., Client], kube: Kube
) -> None:
    notification = client("notification")
    receiver = Receiver(notification, kube)
    channel = await receiver.channel("task.created")
    assert (await notification.read(f"{CHANNELS}/{channel['id']}")) == channel
    task = await backend.create(title="delivered")
    await backend.complete(task["id"])  # of which the channel does not want to hear

    (got,) = await receiver.requests(1)
    body = json.loads(got["body"])
    assert (body["version"], body["type"], body["data"]["task"]["id"]) == (1, "task.created", task["id"])
    assert (body["data"]["task"]["title"], body["data"]["actor"]) == ("delivered", backend.user)
    (delivery,) = await deliveries(notification, 1, state="delivered")
    assert (delivery["event"], delivery["task_id"], delivery["attempts"]) == ("task.created", task["id"], 1)
    assert (delivery["id"], delivery["event_id"]) == (got["headers"]["webhook-id"], body["event_id"])


async def test_a_reminder_that_is_due_is_delivered(backend: Backend, client: Callable[..., Client], kube: Kube) -> None:
    notification = client("notification")
    receiver = Receiver(notification, kube)
    await receiver.channel("reminder.due")
    soon = datetime.now(UTC) + timedelta(minutes=1, seconds=3)
    task = await backend.create(title="soon", due_at=soon.isoformat(), reminders=[1])
    (got,) = await receiver.requests(1)
    body = json.loads(got["body"])
    assert (body["type"], body["data"]["task"]["id"]) == ("reminder.due", task["id"])
    assert body["data"]["reminder"]["minutes_before"] == 1


async def test_a_delivery_that_fails_is_tried_again_until_it_succeeds(
    backend: Backend, client: Callable[..., Client], kube: Kube
) -> None:
    notification = client("notification")
    receiver = Receiver(notification, kube)
    await receiver.answer(503)
    await receiver.channel("task.created")
    await backend.create()
    (delivery,) = await deliveries(notification, 1, state="delivered")
    got = await receiver.requests(delivery["attempts"])
    *failed, last = sorted(one["status"] for one in got)[::-1]
    # Each pod of the receiver fails once.
    assert (set(failed), last, delivery["last_error"]) == ({503}, 200, "")
    # The same message each time: the receiver knows it by its id.
    assert {one["headers"]["webhook-id"] for one in got} == {delivery["id"]}
    assert len({one["body"] for one in got}) == 1


async def test_a_delivery_that_is_refused_is_given_up_with_its_reason_and_can_be_tried_again(
    backend: Backend, client: Callable[..., Client], kube: Kube
) -> None:
    notification = client("notification")
    receiver = Receiver(notification, kube)
    await receiver.answer(REFUSED)
    await receiver.channel("task.created")
    await backend.create()
    (dead,) = await deliveries(notification, 1, state="dead")
    assert str(REFUSED) in dead["last_error"]
    assert (dead["attempts"], dead["next_attempt_at"]) == (1, None)

    await receiver.answer()
    shown(await notification.request("POST", f"{DELIVERIES}/{dead['id']}/retry"), 200)
    (delivered,) = await deliveries(notification, 1, state="delivered")
    assert delivered["id"] == dead["id"]


async def test_no_user_sees_the_channels_or_deliveries_of_another(
    backend: Backend, client: Callable[..., Client], kube: Kube
) -> None:
    notification = client("notification")
    receiver = Receiver(notification, kube)
    channel = await receiver.channel("task.created")
    await backend.create()
    await deliveries(notification, 1)
    stranger = notification.as_user(f"{notification.user}-other")
    assert (await stranger.read(CHANNELS))["items"] == []
    assert (await stranger.read(DELIVERIES))["items"] == []
    path = f"{CHANNELS}/{channel['id']}"
    for method in ("GET", "DELETE"):
        problem(await stranger.request(method, path), 404, "channel-not-found")
    assert (await notification.read(CHANNELS))["items"] == [channel]
    assert (await notification.request("DELETE", path)).status_code == 204


async def test_a_webhook_to_an_address_inside_is_refused(client: Callable[..., Client]) -> None:
    body = {"kind": "webhook", "url": "http://169.254.169.254/latest", "events": ["task.created"]}
    refused = await client("notification").request("POST", CHANNELS, json=body)
    assert problem(refused, 422, "validation-failed")["errors"][0]["pointer"] == "#/url"


class Receiver:
    """The receiver of webhooks that notification brings for suites, under a name of this test's own.

    Each of notification's pods keeps what it gets to itself, and the autoscaler may have added some: all are asked.
    """

    def __init__(self, notification: Client, kube: Kube) -> None:
        self._notification = notification
        self._kube = kube
        # Of a refused delivery the address may be logged: the name says that it was meant.
        self._path = f"/faults/receiver/{PROVOKED}-{uuid.uuid4().hex}"

    async def channel(self, *events: str) -> dict[str, Any]:
        """A channel of the user that delivers here."""
        body = {"kind": "webhook", "url": f"http://notification:{PORT}{self._path}", "events": list(events)}
        return shown(await self._notification.request("POST", CHANNELS, json=body), 201)

    async def answer(self, *statuses: int) -> None:
        """Have each pod answer its next requests so, and those after them, or all of them, with 200."""
        for pod in await self._pods():
            response = await pod.request("PUT", self._path, json={"statuses": statuses})
            assert response.status_code == 204, (
                f"{response.status_code} {response.text}: notification needs faults.enabled in its chart's values"
            )

    async def requests(self, count: int) -> list[dict[str, Any]]:
        """What came, once there is so much."""

        async def found() -> list[dict[str, Any]]:
            items = [one for pod in await self._pods() for one in (await pod.read(self._path))["items"]]
            assert len(items) == count, f"{len(items)} requests instead of {count}: {items}"
            return items

        return await eventually(found, within=RETRIED_WITHIN)

    async def _pods(self) -> list[Client]:
        names = [pod["metadata"]["name"] for pod in await self._kube.ready_pods("notification")]
        proxies = [ServiceProxy(self._kube.client, self._kube.namespace, name, PORT, kind="pods") for name in names]
        return [replace(self._notification, proxy=proxy) for proxy in proxies]


async def deliveries(notification: Client, count: int, **params: str) -> list[dict[str, Any]]:
    """The user's deliveries, once there are so many."""

    async def found() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await notification.read(DELIVERIES, **params))["items"]
        assert len(items) == count, f"{len(items)} deliveries instead of {count}: {items}"
        return items

    return await eventually(found, within=RETRIED_WITHIN)

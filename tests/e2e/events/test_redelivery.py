"""An event that is delivered again has no second effect: published twice, or brought twice to a consumer at once."""

from typing import Any

import anyio
import pytest
from tests.e2e.effects import Effects
from tests.e2e.events.publishing import Sidecar, completed, envelope, message
from tests.e2e.kube import Kube
from tests.e2e.support import EFFECT_WITHIN, Clients, eventually, problem

pytestmark = pytest.mark.anyio

DUE = "2031-06-01T09:00:00+00:00"
TIMES = 4


async def test_an_event_that_the_broker_brings_again_has_one_effect(
    sidecar: Sidecar, effects: Effects, user: str
) -> None:
    again, last = completed(user, DUE, title="again"), completed(user, DUE, title="last")
    # One key, so one order: when the last one has its effect, all before it were delivered.
    await sidecar.publish(*[message(again)] * TIMES, message(last))
    await one_effect_of_each(effects, [again, last])


async def test_an_event_that_is_brought_many_times_at_once_has_one_effect(
    clients: Clients, consumers: tuple[str, ...], kube: Kube, effects: Effects, user: str
) -> None:
    once = completed(user, DUE, title="at once")
    headers = {"dapr-api-token": await kube.secret("dapr-app-token", "token")}

    async def deliver(consumer: str) -> None:
        proxy = clients.proxies[consumer]
        # The sidecar brings it again for as long as it is told to; a consumer may ask for that where two collide.
        with anyio.fail_after(EFFECT_WITHIN):
            while True:
                answer = await proxy.request("POST", "/events/tasks", headers=headers, content=envelope(once))
                assert answer.status_code == 200, f"{consumer} answered {answer.status_code}: {answer.text}"
                if answer.json() == {"status": "SUCCESS"}:
                    return
                assert answer.json() == {"status": "RETRY"}, answer.text

    async with anyio.create_task_group() as group:
        for consumer in consumers:
            for _ in range(TIMES):
                group.start_soon(deliver, consumer)
    await one_effect_of_each(effects, [once])


async def test_nobody_but_the_sidecar_delivers(
    clients: Clients, consumers: tuple[str, ...], effects: Effects, user: str
) -> None:
    made_up = envelope(completed(user, DUE))
    for consumer in consumers:
        for headers in ({}, {"dapr-api-token": "a guess"}):
            stamped = {**headers, "X-Request-ID": f"e2e-{user}"}
            request = clients.proxies[consumer].request
            problem(await request("POST", "/events/tasks", headers=stamped, content=made_up), 401, "not-the-sidecar")
    assert await effects.tasks() == []
    assert await effects.changes() == []


async def one_effect_of_each(effects: Effects, events: list[dict[str, Any]]) -> None:
    """Assert that each completion brought one next task, one change and one audit entry."""

    async def there() -> None:
        titles = sorted(task["title"] for task in await effects.tasks())
        assert titles == sorted(event["data"]["after"]["title"] for event in events)
        changes = await effects.changes()
        # Each next task is a change as well, of a task that is not among the events.
        seen = sorted(task for _, _, task in changes if task in {event["subject"] for event in events})
        assert seen == sorted(event["subject"] for event in events), changes
        assert [number for number, _, _ in changes] == list(range(1, 2 * len(events) + 1)), changes
        entries = await effects.entries()
        assert {event["id"]: entries[event["id"]] for event in events} == {event["id"]: 1 for event in events}

    await eventually(there, within=EFFECT_WITHIN)

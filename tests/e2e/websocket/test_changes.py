"""What a client is told: everything of its user, in order, once, and nothing of anybody else."""

import json

import anyio
import pytest
from tests.e2e.kube import Kube
from tests.e2e.support import EFFECT_WITHIN, Backend, eventually, shown
from tests.e2e.websocket.listening import Sync, told

pytestmark = pytest.mark.anyio


@pytest.mark.smoke
async def test_changes_come_in_order_each_with_the_task_as_it_is_then(sync: Sync, backend: Backend, user: str) -> None:
    async with sync.listening(user) as listener:
        assert listener.hello["sequence"] == 0
        task = await backend.create(title="first", tags=["kept"])
        path = f"/api/v1/tasks/{task['id']}"
        shown(await backend.request("PATCH", path, json={"title": "second"}), 200)
        shown(await backend.request("POST", f"{path}/complete"), 200)
        shown(await backend.request("POST", f"{path}/reopen"), 200)
        assert (await backend.request("DELETE", path)).status_code == 204
        changes = await listener.changes(5)
    kinds = ["created", "updated", "completed", "reopened", "deleted"]
    assert told(changes) == [(number, kind, task["id"]) for number, kind in enumerate(kinds, 1)]
    tasks = [change["event"]["task"] for change in changes]
    assert tasks[4] is None
    assert [one["title"] for one in tasks[:4]] == ["first", "second", "second", "second"]
    assert [one["version"] for one in tasks[:4]] == [1, 2, 3, 4]
    assert [bool(one["completed_at"]) for one in tasks[:4]] == [False, False, True, False]


async def test_a_client_that_comes_back_gets_what_it_missed_and_then_goes_on(
    sync: Sync, backend: Backend, user: str
) -> None:
    async with sync.listening(user) as listener:
        seen = [await backend.create(title=f"seen {number}") for number in range(2)]
        before = await listener.changes(2)
    missed = [await backend.create(title=f"missed {number}") for number in range(3)]
    async with sync.listening(user, after=before[-1]["sequence"]) as listener:
        assert listener.hello["sequence"] == 2
        back = await listener.changes(3)
        later = await backend.create(title="later")
        back += await listener.changes(1)
    tasks = [task["id"] for task in (*seen, *missed, later)]
    assert told(before + back) == [(number, "created", task) for number, task in enumerate(tasks, 1)]


async def test_a_client_without_a_resume_point_hears_of_what_comes_from_now_on(
    sync: Sync, backend: Backend, user: str
) -> None:
    async with sync.listening(user, after=0) as listener:
        await backend.create(title="before")
        await listener.changes(1)
    async with sync.listening(user) as listener:
        assert listener.hello["sequence"] == 1
        task = await backend.create(title="now")
        assert told(await listener.changes(1)) == [(2, "created", task["id"])]


async def test_no_user_hears_of_another(sync: Sync, backend: Backend, user: str) -> None:
    other = backend.as_user(f"{user}-other")
    async with sync.listening(user) as mine, sync.listening(other.user) as theirs:
        hidden = [await backend.create(title="mine alone") for _ in range(3)]
        assert told(await mine.changes(3)) == [(n, "created", task["id"]) for n, task in enumerate(hidden, 1)]
        # The first that the other hears is its own, and number one: nothing came before it.
        task = await other.create(title="theirs")
        assert told(await theirs.changes(1)) == [(1, "created", task["id"])]


async def test_every_replica_tells_of_every_change(sync: Sync, backend: Backend, user: str, kube: Kube) -> None:
    async def several() -> list[str]:
        pods = [pod["metadata"]["name"] for pod in await kube.ready_pods("sync")]
        assert len(pods) >= 2, f"sync has {len(pods)} pods that are ready"
        return pods

    first, second, *_ = await eventually(several, within=60)
    async with sync.listening(user, pod=first) as one, sync.listening(user, pod=second) as another:
        tasks = [await backend.create(title=f"task {number}") for number in range(4)]
        expected = [(number, "created", task["id"]) for number, task in enumerate(tasks, 1)]
        assert told(await one.changes(4)) == expected
        assert told(await another.changes(4)) == expected
    # Numbers hold for all replicas: what one sent can be gone on from at another.
    async with sync.listening(user, pod=second, after=2) as listener:
        assert told(await listener.changes(2)) == expected[2:]


async def test_a_quiet_connection_is_told_that_it_lives(sync: Sync, backend: Backend, user: str) -> None:
    async with sync.listening(user) as listener:
        await backend.create()
        await listener.changes(1)
        with anyio.fail_after(listener.hello["heartbeat_seconds"] + EFFECT_WITHIN):
            assert json.loads(await listener.socket.recv()) == {"type": "heartbeat", "sequence": 1}

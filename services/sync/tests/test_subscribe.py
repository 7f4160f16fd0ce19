"""What a subscriber gets: hello, changes in order, heartbeats, what it missed, and nothing of other users."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from servicekit.events import TASK_COMPLETED, TASK_CREATED, TASK_DELETED, TASK_UPDATED
from sync.store import Store
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_changes_come_in_order_with_all_of_the_task(replica: Any) -> None:
    async with replica.connected("ann") as ann:
        assert ann.hello == {"type": "hello", "sequence": 0, "heartbeat_seconds": 25.0}
        task = snapshot("ann", title="Blumen gießen")
        done = task.model_copy(update={"version": 2})
        created = changed(TASK_CREATED, task) | {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        for event in (created, changed(TASK_COMPLETED, done), changed(TASK_DELETED, done)):
            await replica.deliver(event)
        first, second, third = await ann.changes(3)
    assert [one["sequence"] for one in (first, second, third)] == [1, 2, 3]
    assert first["event"]["type"] == "sluice.task.created.v1"
    assert first["event"]["task"]["title"] == "Blumen gießen"
    assert (first["event"]["task_id"], first["event"]["version"]) == (str(task.id), 1)
    assert (first["event"]["time"], first["event"]["trace_id"]) == (created["time"], TRACE)
    assert set(first["event"]) == {"type", "task_id", "version", "task", "time", "trace_id"}
    assert (second["event"]["type"], second["event"]["version"]) == ("sluice.task.completed.v1", 2)
    assert (third["event"]["type"], third["event"]["task"]) == ("sluice.task.deleted.v1", None)


async def test_without_a_resume_point_only_what_is_new_comes(replica: Any) -> None:
    await replica.change("ann", 3)
    async with replica.connected("ann") as ann:
        assert ann.hello["sequence"] == 3
        await replica.change("ann")
        assert [one["sequence"] for one in await ann.changes(1)] == [4]


async def test_a_second_delivery_of_an_event_is_no_second_change(replica: Any) -> None:
    async with replica.connected("ann") as ann:
        (event,) = await replica.change("ann")
        await replica.deliver(event)
        await replica.change("ann", title="the last")
        found = await ann.changes(2)
    assert [one["event"]["task"]["title"] for one in found] == ["a task", "the last"]


async def test_an_older_version_that_comes_late_is_not_shown_as_the_present(replica: Any) -> None:
    task = snapshot("ann")
    versions = [task.model_copy(update={"version": version}) for version in (1, 2, 3)]
    async with replica.connected("ann") as ann:
        for event in (
            changed(TASK_UPDATED, versions[1]),
            changed(TASK_CREATED, versions[0]),  # late
            changed(TASK_DELETED, versions[2]),
            changed(TASK_UPDATED, versions[2]),  # late: a deletion has the version of what it deletes
        ):
            await replica.deliver(event)
        await replica.change("ann", title="the last")
        found = await ann.changes(3)
    assert [(one["sequence"], one["event"]["version"], one["event"]["task"] is None) for one in found] == [
        (1, 2, False),
        (2, 3, True),
        (3, 1, False),
    ]
    assert (await replica.samples())["sync_stale_events_total"] == 2


async def test_an_event_that_could_be_of_two_owners_is_given_up(replica: Any) -> None:
    task = snapshot("ann")
    event = changed(TASK_UPDATED, task, before=task.model_copy(update={"owner": "bob"}))
    await replica.deliver(event)
    found = await replica.samples()
    assert found["events_consumed_total{outcome=dead,type=sluice.task.updated.v1}"] == 1
    async with replica.connected("ann") as ann, replica.connected("bob") as bob:
        assert (ann.hello["sequence"], bob.hello["sequence"]) == (0, 0)


async def test_a_traceparent_that_is_none_of_w3c_hinders_nothing(replica: Any) -> None:
    async with replica.connected("ann") as ann:
        for trace in ("x" * 500, f"cc-{TRACE}-00f067aa0ba902b7-01-{'more' * 50}"):
            await replica.deliver(changed(TASK_CREATED, snapshot("ann")) | {"traceparent": trace})
        found = await ann.changes(2)
    assert [one["event"]["trace_id"] for one in found] == ["", TRACE]


async def test_heartbeats_tell_the_last_sequence_when_nothing_else_comes(start: Any, settings: Any) -> None:
    replica = await start(settings, heartbeat_seconds=0.05)
    async with replica.connected("ann") as ann:
        assert await ann.message() == {"type": "heartbeat", "sequence": 0}
        await replica.change("ann")
        await ann.changes(1)
        assert await ann.message() == {"type": "heartbeat", "sequence": 1}


async def test_resuming_gives_what_was_missed_and_then_what_comes(replica: Any, settings: Any, numbered: Any) -> None:
    await numbered(settings, "ann", 120)  # more than two pages
    async with replica.connected("ann", after=7) as ann:
        assert ann.hello["sequence"] == 7
        assert [one["sequence"] for one in await ann.changes(113)] == list(range(8, 121))
        await replica.change("ann")
        assert [one["sequence"] for one in await ann.changes(1)] == [121]


async def test_clients_at_different_points_get_each_what_they_lack(replica: Any, settings: Any, numbered: Any) -> None:
    async with replica.connected("ann") as behind:
        await numbered(settings, "ann", 2)
        async with replica.connected("ann") as ahead:
            assert (behind.hello["sequence"], ahead.hello["sequence"]) == (0, 2)
            await replica.change("ann", 2)
            assert [one["sequence"] for one in await behind.changes(4)] == [1, 2, 3, 4]
            assert [one["sequence"] for one in await ahead.changes(2)] == [3, 4]


async def test_what_comes_while_a_client_catches_up_is_not_missed(
    replica: Any, settings: Any, numbered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await numbered(settings, "ann", 2)
    read = Store.read

    async def overtaken(self: Store, owner: str, after: int, limit: int) -> Any:
        found = await read(self, owner, after, limit)
        if after == 0:  # announced before the client is live, and committed after what it reads
            await replica.change("ann")
        return found

    monkeypatch.setattr(Store, "read", overtaken)
    async with replica.connected("ann", after=0) as ann:
        assert [one["sequence"] for one in await ann.changes(3)] == [1, 2, 3]


async def test_the_seam_has_no_gap_and_no_double_while_changes_go_on(replica: Any) -> None:
    number, seen = 60, []

    async def write() -> None:
        for _ in range(number // 10):
            await replica.change("ann", 10)

    writing = asyncio.create_task(write())
    chance = random.Random(4)
    while len(seen) < number:
        async with replica.connected("ann", after=seen[-1] if seen else 0) as ann:
            wanted = min(chance.randint(1, 15), number - len(seen))
            seen += [one["sequence"] for one in await ann.changes(wanted)]
    await writing
    assert seen == list(range(1, number + 1))


async def test_changes_of_one_owner_are_numbered_in_order_whoever_commits_them(replica: Any) -> None:
    async with replica.connected("ann") as ann, asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(replica.change("ann", 6))
        found = await ann.changes(36)
    assert [one["sequence"] for one in found] == list(range(1, 37))
    by_task: dict[str, list[int]] = {}
    for one in found:
        by_task.setdefault(one["event"]["task_id"], []).append(one["event"]["version"])
    assert list(by_task.values()) == [list(range(1, 7))] * 6


async def test_nobody_gets_what_belongs_to_another(replica: Any) -> None:
    users = [f"user-{number}" for number in range(12)]

    async def listen(user: str, ready: asyncio.Barrier) -> None:
        async with replica.connected(user) as one, replica.connected(user, after=0) as other:
            await ready.wait()
            for client in (one, other):
                found = await client.changes(5)
                assert {change["event"]["task"]["owner"] for change in found} == {user}
                assert [change["sequence"] for change in found] == list(range(1, 6))

    ready = asyncio.Barrier(len(users) + 1)
    async with asyncio.TaskGroup() as group:
        for user in users:
            group.create_task(listen(user, ready))
        await ready.wait()
        for user in users:
            group.create_task(replica.change(user, 5, title=f"of {user}"))
    assert (await replica.samples())["websocket_messages_sent_total{type=change}"] == 2 * 5 * len(users)


async def test_a_user_with_like_name_is_another_user(replica: Any) -> None:
    async with replica.connected("ann") as ann, replica.connected("Ann") as other:
        await replica.change("ann1")
        await replica.change("Ann", title="of Ann")
        await replica.change("ann", title="of ann")
        assert [one["event"]["task"]["title"] for one in await ann.changes(1)] == ["of ann"]
        assert [one["event"]["task"]["title"] for one in await other.changes(1)] == ["of Ann"]

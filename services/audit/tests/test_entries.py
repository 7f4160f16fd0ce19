"""What is written down of an event, who sees it, and how it is asked for."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.events import (
    DEAD_LETTER,
    REMINDER_DUE,
    TASK_COMPLETED,
    TASK_CREATED,
    TASK_DELETED,
    TASK_UPDATED,
    DeadLetter,
    ReminderDue,
)
from testkit.events import as_json, changed, snapshot

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 60

LETTER = DeadLetter(
    consumer="sync", topic="tasks", reason="unknown version", attempts=1, event_id="e", event_type="t", event="{}"
)


async def test_a_change_is_kept_with_who_what_when_before_and_after(bench: Any) -> None:
    before = snapshot(title="milk")
    after = before.model_copy(update={"title": "oat milk", "version": 2})
    event = changed(TASK_UPDATED, after, before)
    assert await bench.deliver("tasks", event) == ["SUCCESS"]
    [entry] = await bench.entries()
    assert (entry["actor"], entry["owner"], entry["type"]) == ("ann", "ann", "sluice.task.updated.v1")
    assert (entry["event_id"], entry["subject"]) == (event["id"], str(after.id))
    assert (entry["before"]["title"], entry["after"]["title"]) == ("milk", "oat milk")
    assert datetime.fromisoformat(entry["occurred_at"]) == datetime.fromisoformat(event["time"])
    assert entry["trace_id"] == event["traceparent"].split("-")[1]
    assert (entry["sequence"], entry["data"]) == (1, None)


async def test_what_a_service_did_is_kept_with_its_data(bench: Any) -> None:
    now = datetime.now(UTC)
    data = ReminderDue(
        reminder_id=uuid.uuid4(), owner="ann", task_id=uuid.uuid4(), title="milk", due_at=now, remind_at=now,
        minutes_before=0,
    )  # fmt: skip
    event = as_json(REMINDER_DUE, data, subject="s", key="ann", source="recurring-task")
    await bench.deliver("reminders", event)
    [entry] = await bench.entries()
    assert (entry["actor"], entry["owner"], entry["before"]) == ("recurring-task", "ann", None)
    assert entry["data"]["title"] == "milk"


async def test_what_only_a_newer_version_says_is_kept_and_hashed(bench: Any) -> None:
    event = changed(TASK_UPDATED, snapshot(), snapshot())
    for side in ("before", "after"):
        event["data"][side]["colour"] = {"name": side}
    event["data"]["cause"] = ["a", 1, None]
    letter = as_json(DEAD_LETTER, LETTER, subject="e", key="sync", source="sync")
    letter["data"]["hint"] = "see there"
    await bench.deliver("tasks", event)
    await bench.deliver("dead-letters", letter)
    dead, change = await bench.entries("eve", "auditor")
    assert (change["before"], change["after"]) == (event["data"]["before"], event["data"]["after"])
    assert (change["data"], dead["data"]) == ({"cause": ["a", 1, None]}, letter["data"])
    await bench.tamper("UPDATE entries SET data = NULL WHERE sequence = 1")
    assert (await bench.verify())["broken_at"] == 1


async def test_an_event_that_comes_twice_is_one_entry(bench: Any) -> None:
    event = changed(TASK_CREATED, snapshot())
    assert await bench.deliver("tasks", event, event) == ["SUCCESS", "SUCCESS"]
    assert len(await bench.entries()) == 1


async def test_an_old_event_that_the_inbox_forgot_is_no_new_entry(bench: Any) -> None:
    event = changed(TASK_CREATED, snapshot())
    await bench.deliver("tasks", event)
    await bench.tamper("DELETE FROM inbox")
    assert await bench.deliver("tasks", event) == ["SUCCESS"], "not tried for ever"
    assert len(await bench.entries()) == 1
    assert (await bench.verify())["entries"] == 1


async def test_an_event_without_a_canonical_form_goes_to_the_dead_letters(bench: Any) -> None:
    """RFC 8785 knows integers of 53 bits: there is no hash that every reader would agree on."""
    event = changed(TASK_CREATED, snapshot(version=2**53))
    assert await bench.deliver("tasks", event) == ["SUCCESS"]
    assert await bench.entries() == []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (letters := bench.publisher.of(DEAD_LETTER)):
            await asyncio.sleep(0.02)
    assert "no canonical form" in letters[0]["data"]["reason"]
    assert await bench.deliver("tasks", changed(TASK_CREATED, snapshot())) == ["SUCCESS"]
    assert (await bench.verify())["entries"] == 1, "the chain has no gap"


async def test_anybody_can_compute_the_hash_of_what_is_shown(bench: Any) -> None:
    """SHA-256 over the canonical JSON of the entry without its hash; instants as they are stored, in UTC."""
    await bench.deliver("tasks", changed(TASK_CREATED, snapshot(title="Grüße ∀", description="\u2028 <&>")))
    [entry] = await bench.entries()
    expected = entry.pop("hash")
    for name in ("occurred_at", "recorded_at"):
        moment = datetime.fromisoformat(entry[name]).astimezone(UTC)
        entry[name] = moment.isoformat(timespec="microseconds")
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == expected


async def test_users_see_what_is_about_their_own_tasks_and_auditors_everything(bench: Any) -> None:
    letter = as_json(DEAD_LETTER, LETTER, subject="e", key="sync", source="sync")
    await bench.deliver("tasks", changed(TASK_CREATED, snapshot("ann")), changed(TASK_CREATED, snapshot("bob")))
    await bench.deliver("dead-letters", letter)
    assert [entry["owner"] for entry in await bench.entries("bob")] == ["bob"]
    assert await bench.entries("cid") == []
    assert [entry["sequence"] for entry in await bench.entries("eve", "auditor")] == [3, 2, 1]
    assert [entry["sequence"] for entry in await bench.entries("eve", "auditor", owner="ann")] == [1]
    refused = await bench.get("bob", owner="ann")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:sluice:problem:role-missing")
    assert (await bench.client.get("/api/v1/audit")).status_code == 401


async def test_entries_are_found_by_type_subject_trace_and_time(bench: Any) -> None:
    task, other = snapshot(), snapshot()
    created, done = changed(TASK_CREATED, task), changed(TASK_COMPLETED, task)
    await bench.deliver("tasks", created, done, changed(TASK_DELETED, other))
    trace, later = done["traceparent"].split("-")[1], datetime.now(UTC) + timedelta(hours=1)

    async def found(**query: object) -> list[int]:
        return [entry["sequence"] for entry in await bench.entries(**query)]

    assert await found(type="sluice.task.completed.v1") == [2]
    assert await found(subject=task.id) == [2, 1]
    assert await found(trace_id=trace) == [2]
    assert await found(until=later.isoformat()) == [3, 2, 1]
    assert await found(**{"from": later.isoformat()}) == []
    wrong = await bench.get("ann", colour="red", trace_id="x")
    assert (wrong.status_code, len(wrong.json()["errors"])) == (422, 2)


async def test_pages_go_from_the_newest_to_the_oldest(bench: Any) -> None:
    await bench.deliver("tasks", *[changed(TASK_CREATED, snapshot()) for _ in range(5)])
    seen, before = [], {}
    while True:
        page = (await bench.get("ann", limit=2, **before)).json()
        seen += [entry["sequence"] for entry in page["items"]]
        if page["next_before_sequence"] is None:
            break
        before = {"before_sequence": page["next_before_sequence"]}
    assert seen == [5, 4, 3, 2, 1]


async def test_entries_are_counted_by_type_and_the_chain_is_measured(bench: Any) -> None:
    await bench.deliver("tasks", changed(TASK_CREATED, snapshot()))
    shown = (await bench.client.get("/metrics")).text
    assert 'audit_entries_total{type="sluice.task.created.v1"} 1.0' in shown
    assert 'audit_entries_total{type="sluice.dead-letter.v1"} 0.0' in shown
    assert "audit_append_duration_seconds_count 1.0" in shown

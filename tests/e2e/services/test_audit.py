"""audit: who did what and when, from what to what, shown to whom it concerns, in a chain that can be checked."""

import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.e2e.audit import PATH, entries_of
from tests.e2e.support import (
    EFFECT_WITHIN,
    SCRAPED_WITHIN,
    SKEW_SECONDS,
    Backend,
    Client,
    eventually,
    problem,
    shown,
)

from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

AUDITOR = "auditor"


async def test_an_entry_says_who_did_what_and_when_from_what_to_what(
    backend: Backend, client: Callable[..., Client]
) -> None:
    trace, started = secrets.token_hex(16), datetime.now(UTC)
    task = await backend.create(title="before", headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"})
    path = f"/api/v1/tasks/{task['id']}"
    shown(await backend.request("PATCH", path, json={"title": "after"}), 200)
    assert (await backend.request("DELETE", path)).status_code == 204

    created, updated, deleted = await entries(client("audit"), 3)
    kinds = [entry["type"] for entry in (created, updated, deleted)]
    assert kinds == [f"sluice.task.{what}.v1" for what in ("created", "updated", "deleted")]
    for entry in (created, updated, deleted):
        assert (entry["owner"], entry["actor"], entry["subject"]) == (backend.user, backend.user, task["id"])
        assert entry["source"] == "/services/backend"
        assert abs(datetime.fromisoformat(entry["occurred_at"]) - started) < timedelta(seconds=SKEW_SECONDS)
    assert created["trace_id"] == trace
    titles = [(entry["before"] or {}).get("title") for entry in (created, updated, deleted)]
    assert titles == [None, "before", "after"]
    titles = [(entry["after"] or {}).get("title") for entry in (created, updated, deleted)]
    assert titles == ["before", "after", None]


async def test_entries_are_found_by_type_task_and_trace_and_come_in_pages(
    backend: Backend, client: Callable[..., Client]
) -> None:
    audit = client("audit")
    first, second = await backend.create(title="first"), await backend.create(title="second")
    await backend.complete(first["id"])
    everything = await entries(audit, 3)
    assert [one["subject"] for one in everything] == [first["id"], second["id"], first["id"]]
    completed = await entries_of(audit, type="sluice.task.completed.v1")
    assert completed == [everything[2]]
    assert await entries_of(audit, subject=second["id"]) == [everything[1]]
    assert await entries_of(audit, trace_id=completed[0]["trace_id"]) == completed

    page = await audit.read(PATH, limit="2")  # the newest first
    assert page["items"] == everything[:0:-1]
    rest = await audit.read(PATH, limit="2", before_sequence=str(page["next_before_sequence"]))
    assert (rest["items"], rest["next_before_sequence"]) == (everything[:1], None)


async def test_no_user_sees_the_entries_of_another_and_an_auditor_sees_all(
    backend: Backend, client: Callable[..., Client]
) -> None:
    audit = client("audit")
    await backend.create(title="mine alone")
    mine = await entries(audit, 1)
    stranger = audit.as_user(f"{audit.user}-other")
    assert await entries_of(stranger) == []
    refused = await stranger.request("GET", PATH, params={"owner": audit.user})
    problem(refused, 403, "role-missing")
    auditor = audit.as_user(f"{audit.user}-auditor", AUDITOR)
    assert await entries_of(auditor, owner=audit.user) == mine


async def test_the_chain_holds_and_a_forged_anchor_is_found(backend: Backend, client: Callable[..., Client]) -> None:
    audit = client("audit")
    await backend.create()
    (entry,) = await entries(audit, 1)
    problem(await audit.request("GET", f"{PATH}/verify"), 403, "role-missing")

    auditor = client("audit", AUDITOR)
    finding = await auditor.read(f"{PATH}/verify", anchor=f"{entry['sequence']}:{entry['hash']}")
    assert (finding["valid"], finding["broken_at"], finding["reason"]) == (True, None, None)
    assert finding["entries"] >= entry["sequence"]
    assert finding["head"].startswith(f"{finding['entries']}:")

    forged = await auditor.read(f"{PATH}/verify", anchor=f"{entry['sequence']}:{'0' * 64}")
    assert (forged["valid"], forged["broken_at"]) == (False, entry["sequence"])


async def test_anybody_can_compute_an_entrys_hash_from_what_it_says(
    backend: Backend, client: Callable[..., Client]
) -> None:
    task = await backend.create(title="before", tags=["kept"], priority="high")
    shown(await backend.request("PATCH", f"/api/v1/tasks/{task['id']}", json={"title": "after"}), 200)
    for entry in await entries(client("audit"), 2):
        said = {name: value for name, value in entry.items() if name != "hash"}
        for name in ("occurred_at", "recorded_at"):
            said[name] = datetime.fromisoformat(said[name]).astimezone(UTC).isoformat(timespec="microseconds")
        # Of text and whole numbers alone, sorted JSON without spaces is the canonical one of RFC 8785.
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == entry["hash"], entry["type"]


async def test_the_chain_is_walked_along_and_was_found_whole(
    prometheus: PrometheusMetrics, context: SuiteContext
) -> None:
    query = f'audit_chain_valid{{namespace="{context.namespace}"}}'

    async def checked() -> None:
        series = await prometheus.instant(query)
        assert series, f"{query} has no series"
        found = [one.points[0][1] for one in series]
        assert set(found) == {1.0}, f"{query} is {found}: 0 is broken, NaN was never looked at"

    await eventually(checked, within=SCRAPED_WITHIN)


async def entries(audit: Client, count: int) -> list[dict[str, Any]]:
    """The user's entries, oldest first, once there are so many."""

    async def found() -> list[dict[str, Any]]:
        items = await entries_of(audit)
        assert len(items) == count, f"{len(items)} entries instead of {count}: {[one['type'] for one in items]}"
        return items

    return await eventually(found, within=EFFECT_WITHIN)

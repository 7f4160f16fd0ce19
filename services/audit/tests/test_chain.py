"""The chain holds until somebody touches it, and then tells where."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from audit.chain import GENESIS, hash_of
from audit.models import Entry
from audit.verify import verify_command
from servicekit.events import TASK_CREATED
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 60


async def filled(bench: Any, number: int = 4) -> None:
    await bench.deliver("tasks", *[changed(TASK_CREATED, snapshot()) for _ in range(number)])


async def test_an_empty_chain_and_a_whole_one_hold(bench: Any) -> None:
    assert await bench.verify() == {
        "valid": True, "entries": 0, "head": f"0:{GENESIS}", "broken_at": None, "reason": None,
    }  # fmt: skip
    await filled(bench)
    found = await bench.verify()
    assert (found["valid"], found["entries"], found["head"].split(":")[0]) == (True, 4, "4")


async def test_each_entry_links_to_the_one_before(bench: Any) -> None:
    await filled(bench, 2)
    second, first = await bench.entries()
    assert first["previous_hash"] == GENESIS
    assert second["previous_hash"] == first["hash"]


@pytest.mark.parametrize(
    ("statements", "broken_at", "reason"),
    [
        (["UPDATE entries SET actor = 'mallory' WHERE sequence = 2"], 2, "its hash is not that of what it says"),
        (["UPDATE entries SET after = NULL WHERE sequence = 4"], 4, "its hash is not that of what it says"),
        (["DELETE FROM entries WHERE sequence = 2"], 2, "entry 2 is missing: 3 comes next"),
        (["DELETE FROM entries WHERE sequence = 4"], 4, "the chain ends before its head, 4"),
        (
            ["DELETE FROM entries WHERE sequence = 2", "UPDATE entries SET sequence = sequence - 1 WHERE sequence > 2"],
            2,
            "it does not link to the entry before",
        ),
        (
            [
                "UPDATE entries SET sequence = -2 WHERE sequence = 2",
                "UPDATE entries SET sequence = 2 WHERE sequence = 3",
                "UPDATE entries SET sequence = 3 WHERE sequence = -2",
            ],
            2,
            "it does not link to the entry before",
        ),
        (["UPDATE head SET hash = repeat('a', 64)"], 4, "the head is not the last entry's hash"),
    ],
)
async def test_what_was_touched_is_found(bench: Any, statements: list[str], broken_at: int, reason: str) -> None:
    await filled(bench)
    if bench.engine.dialect.name != "postgresql":
        statements = [statement.replace("repeat('a', 64)", f"'{'a' * 64}'") for statement in statements]
    await bench.tamper(*statements)
    found = await bench.verify()
    assert (found["valid"], found["broken_at"], found["reason"]) == (False, broken_at, reason)


async def test_an_entry_that_was_hashed_anew_breaks_the_next_link(bench: Any) -> None:
    await filled(bench)
    entry = await _entry(bench, 2)
    entry.actor = "mallory"
    await bench.tamper(f"UPDATE entries SET actor = 'mallory', hash = '{hash_of(entry)}' WHERE sequence = 2")
    found = await bench.verify()
    assert (found["broken_at"], found["reason"]) == (3, "it does not link to the entry before")


async def test_a_chain_cut_back_with_its_head_is_found_by_an_earlier_anchor(bench: Any) -> None:
    await filled(bench)
    anchor = (await bench.verify())["head"]
    kept = await _entry(bench, 3)
    await bench.tamper("DELETE FROM entries WHERE sequence = 4", f"UPDATE head SET sequence = 3, hash = '{kept.hash}'")
    assert (await bench.verify())["valid"], "by itself the shorter chain is whole"
    found = await bench.verify(anchor=anchor)
    assert (found["broken_at"], found["reason"]) == (4, "the anchor names entry 4, which is not there")
    other = await bench.verify(anchor=f"3:{'f' * 64}")
    assert (other["broken_at"], other["reason"]) == (3, "it is not the entry that the anchor names")
    assert (await bench.verify(anchor=f"3:{kept.hash}"))["valid"]


async def test_a_chain_that_was_rewritten_whole_is_found_by_an_earlier_anchor(bench: Any) -> None:
    await filled(bench)
    anchor = (await bench.verify())["head"]
    previous, statements = GENESIS, []
    for sequence in range(1, 5):
        entry = await _entry(bench, sequence)
        entry.actor, entry.previous_hash = "mallory", previous
        previous = hash_of(entry)
        link = f"previous_hash = '{entry.previous_hash}', hash = '{previous}'"
        statements.append(f"UPDATE entries SET actor = 'mallory', {link} WHERE sequence = {sequence}")
    await bench.tamper(*statements, f"UPDATE head SET hash = '{previous}'")
    assert (await bench.verify())["valid"], "by itself the other chain is whole"
    found = await bench.verify(anchor=anchor)
    assert (found["broken_at"], found["reason"]) == (4, "it is not the entry that the anchor names")


async def test_a_chain_of_several_batches_is_walked_to_its_end(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.verify._BATCH", 2)
    await filled(bench)  # two whole batches, so that the last one read is empty
    assert (await bench.verify())["entries"] == 4
    await filled(bench, 1)
    assert (await bench.verify())["entries"] == 5
    await bench.tamper("UPDATE entries SET subject = 'another' WHERE sequence = 3")
    assert (await bench.verify())["broken_at"] == 3


async def test_only_auditors_check_and_an_anchor_has_its_form(bench: Any) -> None:
    assert (await bench.get("ann", path="/api/v1/audit/verify")).status_code == 403
    assert (await bench.get("eve", "auditor", path="/api/v1/audit/verify", anchor="x")).status_code == 422


@pytest.mark.parametrize(
    "statement", ["UPDATE entries SET actor = 'mallory'", "DELETE FROM entries", "TRUNCATE entries"]
)
async def test_the_database_refuses_to_change_entries(bench: Any, statement: str) -> None:
    if statement.startswith("TRUNCATE") and bench.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    await filled(bench, 1)
    with pytest.raises(DBAPIError, match="append-only"):  # as the tables' owner
        async with bench.engine.begin() as connection:
            await connection.execute(text(statement))
    assert (await bench.verify())["valid"]


@pytest.mark.contract
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True, scope="session")
async def test_replicas_side_by_side_make_one_chain(bench: Any, running: Callable[..., Any]) -> None:
    async def take(replica: Any, event: dict[str, Any]) -> None:
        while await replica.deliver("tasks", event) != ["SUCCESS"]:
            pass  # as the sidecar does while the queue for the head is long

    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        running(bench.settings, bench.keys) as other,
        asyncio.TaskGroup() as group,
    ):
        for index in range(40):
            group.create_task(take((bench, other)[index % 2], changed(TASK_CREATED, snapshot())))
    found = await bench.verify()
    assert (found["valid"], found["entries"]) == (True, 40)
    entries = await bench.entries("eve", "auditor", limit=100)
    assert len({entry["previous_hash"] for entry in entries}) == 40, "no fork"


async def test_the_command_tells_the_same_by_its_exit_status(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def run(**values: object) -> tuple[int, dict[str, Any]]:
        status = verify_command(bench.settings.model_copy(update=values))
        return status, json.loads(capsys.readouterr().out.splitlines()[-1])

    status, found = await asyncio.to_thread(run)
    assert (status, found["valid"]) == (0, True)
    status, found = await asyncio.to_thread(run, verify_anchor=f"7:{GENESIS}")
    assert (status, found["reason"]) == (1, "the anchor names entry 7, which is not there")
    await bench.tamper(f"UPDATE head SET hash = '{'a' * 64}'")
    status, found = await asyncio.to_thread(run)
    assert (status, found["reason"]) == (1, "the head is not the last entry's hash")


async def test_what_could_not_be_checked_is_not_called_broken(settings: Any, tmp_path: Path) -> None:
    with socket.socket() as holder:  # bound, and listening to nobody
        holder.bind(("127.0.0.1", 0))
        nobody = f"postgresql+asyncpg://ann@127.0.0.1:{holder.getsockname()[1]}/audit"
        away = settings.model_copy(update={"database_url": nobody})
        assert await asyncio.to_thread(verify_command, away) == 2
    empty = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{tmp_path}/empty.db"})
    assert await asyncio.to_thread(verify_command, empty) == 2


async def test_the_head_is_logged_as_an_anchor(empty: Any, running: Callable[..., Any], keys: Any) -> None:
    """What was logged is elsewhere, and so finds a chain that was rewritten here."""
    quick = empty.model_copy(update={"anchor_seconds": 0.05})
    with capture_logs() as log:
        async with running(quick, keys) as bench, asyncio.timeout(DEADLINE_SECONDS):
            await filled(bench, 2)
            head = (await bench.verify())["head"]
            while head not in (anchors := [line["anchor"] for line in log if line["event"] == "audit anchor"]):
                await asyncio.sleep(0.02)
            text = (await bench.client.get("/metrics")).text
    assert len(anchors) == len(set(anchors)), "each once"
    assert (await _valid(empty, keys, running, anchors[-1]))["valid"]
    assert "audit_chain_length 2.0" in text


async def _valid(settings: Any, keys: Any, running: Callable[..., Any], anchor: str) -> dict[str, Any]:
    async with running(settings, keys) as bench:
        return dict(await bench.verify(anchor=anchor))


async def _entry(bench: Any, sequence: int) -> Entry:
    async with AsyncSession(bench.engine) as session:
        found = await session.scalar(select(Entry).where(Entry.sequence == sequence))
    assert found is not None
    return found

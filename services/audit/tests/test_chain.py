"""The chain holds until somebody touches it, and then tells where."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from audit.chain import GENESIS, hash_of
from audit.models import Entry
from audit.verify import verify_command
from servicekit.events import TASK_CREATED
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio


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
    with pytest.raises(DBAPIError, match="append-only"):
        async with bench.engine.begin() as connection:
            await connection.execute(text(statement))
    assert (await bench.verify())["valid"]


async def test_replicas_side_by_side_make_one_chain(bench: Any, running: Callable[..., Any]) -> None:
    if bench.engine.dialect.name != "postgresql":
        pytest.skip("SQLite serves one process")
    async with running(bench.settings, bench.keys) as other, asyncio.TaskGroup() as group:
        for index in range(40):
            replica = (bench, other)[index % 2]
            group.create_task(replica.deliver("tasks", changed(TASK_CREATED, snapshot())))
    found = await bench.verify()
    assert (found["valid"], found["entries"]) == (True, 40)


async def test_the_command_tells_the_same_by_its_exit_status(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(verify_command, bench.settings) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["valid"]
    await bench.tamper(f"UPDATE head SET hash = '{'a' * 64}'")
    assert await asyncio.to_thread(verify_command, bench.settings) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["reason"] == "the head is not the last entry's hash"


async def _entry(bench: Any, sequence: int) -> Entry:
    async with AsyncSession(bench.engine) as session:
        found = await session.scalar(select(Entry).where(Entry.sequence == sequence))
    assert found is not None
    return found

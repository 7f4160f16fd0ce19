"""The chain is checked in the background, and a metric tells what was found."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from audit.chain import GENESIS
from servicekit.events import TASK_CREATED
from testkit.events import changed, snapshot

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 60


async def value(bench: Any, name: str) -> float:
    lines = (await bench.client.get("/metrics")).text.splitlines()
    [found] = [line for line in lines if line.startswith(f"{name} ")]
    return float(found.split()[1])


async def another(bench: Any) -> None:
    """Wait until a check that began from now on has ended."""
    for _ in range(2):  # one may be under way
        seen = await value(bench, "audit_chain_last_check_timestamp_seconds")
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await value(bench, "audit_chain_last_check_timestamp_seconds") <= seen:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE entries SET actor = 'mallory' WHERE sequence = 2"],
        # By itself the shorter chain holds: only who saw the longer one knows.
        ["DELETE FROM entries WHERE sequence > 0", f"UPDATE head SET sequence = 0, hash = '{GENESIS}'"],
    ],
)
async def test_the_metric_tells_that_somebody_touched_the_chain(
    empty: Any, running: Callable[..., Any], keys: Any, statements: list[str]
) -> None:
    quick = empty.model_copy(update={"verify_seconds": 0.05})
    async with running(quick, keys) as bench:
        await bench.deliver("tasks", *[changed(TASK_CREATED, snapshot()) for _ in range(3)])
        await another(bench)
        assert await value(bench, "audit_chain_valid") == 1
        await bench.tamper(*statements)
        await another(bench)
        assert await value(bench, "audit_chain_valid") == 0
        await another(bench)
        assert await value(bench, "audit_chain_valid") == 0, "what was broken stays so"


async def test_before_the_first_check_the_metric_claims_nothing(
    empty: Any, running: Callable[..., Any], keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("audit.verify.verify", never)
    async with running(empty, keys) as bench:
        assert math.isnan(await value(bench, "audit_chain_valid"))

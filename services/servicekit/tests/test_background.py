"""Background work: begun with the app, begun again after a failure and never in a tight loop, ended with the app."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from servicekit import background
from servicekit.app import create_app
from servicekit.background import Background, running
from servicekit.metrics import Metrics
from servicekit.settings import ServiceSettings

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 30


async def reached(condition: Any) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let pauses pass at once, and list them."""
    pauses: list[float] = []

    async def no_sleep(seconds: float) -> None:
        pauses.append(seconds)
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(background.anyio, "sleep", no_sleep)
    return pauses


async def test_what_fails_is_begun_again_after_growing_pauses(quick: list[float], lines: Any) -> None:
    attempts = 0

    async def fail() -> None:
        nonlocal attempts
        attempts += 1
        raise ValueError(f"attempt {attempts}")

    async with running([Background("failing", fail)]):
        await reached(lambda: attempts >= 7)
    assert quick[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0], "no failure makes a tight loop"
    told = [line for line in lines() if line["message"] == "background work failed"]
    assert (told[0]["work"], told[0]["error"], told[0]["level"]) == ("failing", "ValueError: attempt 1", "WARNING")


async def test_one_failure_stops_nothing_else(quick: list[float]) -> None:
    worked = 0

    async def fail() -> None:
        raise ExceptionGroup("several", [KeyError("one"), ValueError("two")])

    async def work() -> None:
        nonlocal worked
        while True:
            worked += 1
            await anyio.lowlevel.checkpoint()

    async with running([Background("failing", fail), Background("working", work)]):
        await reached(lambda: worked > 5 and len(quick) > 5)


async def test_what_ends_by_itself_is_begun_again(quick: list[float], lines: Any) -> None:
    begun = 0

    async def short() -> None:
        nonlocal begun
        begun += 1
        await anyio.lowlevel.checkpoint()

    async with running([Background("short", short)]):
        await reached(lambda: begun > 2)
    assert "background work ended by itself" in [line["message"] for line in lines()]
    assert quick


async def test_a_failure_after_long_work_is_a_first_one(quick: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 60))
    monkeypatch.setattr(background.anyio, "current_time", lambda: float(next(clock)))

    async def fail() -> None:
        raise ValueError

    async with running([Background("failing", fail)]):
        await reached(lambda: len(quick) > 3)
    assert set(quick[:4]) == {0.5}


async def test_work_runs_while_the_app_does_and_its_last_step_is_finished() -> None:
    told: list[str] = []
    reached_shield = anyio.Event()

    async def work() -> None:
        told.append("begun")
        with anyio.CancelScope(shield=True):
            reached_shield.set()
            await anyio.sleep(0.01)
            told.append("finished")
        await anyio.sleep_forever()

    settings = ServiceSettings(service_name="example")
    service = create_app(settings, metrics=Metrics(), routers=[], background=[Background("work", work)])
    async with service.app.router.lifespan_context(service.app):
        await reached_shield.wait()
    assert told == ["begun", "finished"]


async def test_what_the_app_raises_is_not_wrapped() -> None:
    with pytest.raises(KeyError):
        async with running([Background("idle", anyio.sleep_forever)]):
            raise KeyError

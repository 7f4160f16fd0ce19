"""A steady load of a minute and a half, so that the gate has something to judge: budgets and targets need a past."""

import time
from collections.abc import Callable

import anyio
import pytest
from tests.e2e.support import Client

pytestmark = pytest.mark.anyio

SERVICE = "__service__"
PATH = f"/api/v1/{SERVICE}"
# Objectives on targets look back a minute, and rules of budgets are evaluated every 30 s (release/policy.toml).
SECONDS, EVERY = 90.0, 0.5


async def test_it_greets_for_as_long_as_the_gate_looks_back(client: Callable[..., Client], user: str) -> None:
    """Every request of a steady load is answered."""
    asked = client(SERVICE)
    wrong: list[object] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        answer = await asked.read(PATH)
        if answer["hello"] != user:
            wrong.append(answer)
        await anyio.sleep(EVERY)  # the rate of the load, and no wait
    assert wrong == []

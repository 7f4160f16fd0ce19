"""What users of __service__ are promised, on the cluster, and on each target after a deploy.

A rollback is held to these too, so they ask for nothing that the release before cannot do.
"""

from collections.abc import Callable

import anyio
import pytest
from tests.e2e.support import Client, problem

pytestmark = [pytest.mark.anyio, pytest.mark.smoke]

SERVICE = "__service__"
PATH = f"/api/v1/{SERVICE}"
# The gate judges errors, latency and logs by no fewer requests than the objectives' min_samples (release/policy.toml).
USERS, GREETINGS = 4, 25


async def test_it_greets_its_user(client: Callable[..., Client], user: str) -> None:
    """By the name in the token."""
    assert (await client(SERVICE).read(PATH))["hello"] == user


async def test_it_greets_nobody_without_a_token(client: Callable[..., Client]) -> None:
    """Who shows none is told so."""
    problem(await client(SERVICE).request("GET", PATH, anonymous=True), 401, "user-unknown")


async def test_it_greets_everybody_who_asks_at_once(client: Callable[..., Client], user: str) -> None:
    """Each by its own name."""
    wrong: list[object] = []

    async def ask(name: str) -> None:
        asked = client(SERVICE).as_user(name)
        for _ in range(GREETINGS):
            answer = await asked.read(PATH)
            if answer["hello"] != name:
                wrong.append(answer)

    async with anyio.create_task_group() as group:
        for number in range(USERS):
            group.start_soon(ask, f"{user}-{number}")
    assert wrong == []

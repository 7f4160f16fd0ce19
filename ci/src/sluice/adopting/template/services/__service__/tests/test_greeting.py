"""Who is greeted, and who is not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from __module__.service import GreetingSettings, build

pytestmark = pytest.mark.anyio

PATH = "/api/v1/__service__"


@pytest.fixture
async def client(keys: Any, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A running service: it believes tokens that the fixture `keys` (services/conftest.py) has signed."""
    app = build(GreetingSettings(token_keys_file=keys.write(tmp_path / "jwks.json"))).app
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service", trust_env=False) as found,
    ):
        yield found


async def test_a_user_is_greeted_by_name(client: httpx.AsyncClient, keys: Any) -> None:
    """The name is the one in the token."""
    answered = await client.get(PATH, headers=keys.headers("ann"))
    assert answered.status_code == 200
    assert answered.json()["hello"] == "ann"


async def test_nobody_is_greeted_without_a_token(client: httpx.AsyncClient) -> None:
    """Whose token proves nothing is told so, as problem details."""
    answered = await client.get(PATH)
    assert answered.status_code == 401
    assert answered.headers["content-type"].startswith("application/problem+json")

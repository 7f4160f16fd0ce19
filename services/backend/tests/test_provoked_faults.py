"""The fault routes, which exist only where they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.service import build

pytestmark = pytest.mark.anyio


@pytest.fixture
def faulty(migrated_sqlite: Path, settings_of: Any, client_of: Any) -> Callable[..., httpx.AsyncClient]:
    """Make a client of a backend with or without the fault routes."""

    def make(*, enabled: bool) -> httpx.AsyncClient:
        url = f"sqlite+aiosqlite:///{migrated_sqlite}"
        client: httpx.AsyncClient = client_of(build(settings_of(database_url=url, faults_enabled=enabled)))
        return client

    return make


@pytest.mark.parametrize("path", ["error?marker=m", "delay?seconds=0", "cpu?seconds=0", "event?kind=malformed"])
async def test_off_unless_asked_for(faulty: Any, path: str) -> None:
    async with faulty(enabled=False) as client:
        assert (await client.post(f"/faults/{path}")).status_code == 404


async def test_the_error_is_a_500_that_hides_the_marker(faulty: Any) -> None:
    async with faulty(enabled=True) as client:
        response = await client.post("/faults/error", params={"marker": "find-me"})
    assert response.status_code == 500
    assert "find-me" not in response.text


@pytest.mark.parametrize(("seconds", "status"), [("0", 200), ("5.1", 422), ("-1", 422), ("nan", 422), ("inf", 422)])
async def test_the_delay_is_bounded(faulty: Any, seconds: str, status: int) -> None:
    async with faulty(enabled=True) as client:
        response = await client.post("/faults/delay", params={"seconds": seconds})
    assert response.status_code == status


@pytest.mark.parametrize("marker", ["", "a b", "x" * 201, "line\nbreak"])
async def test_a_marker_is_one_plain_word(faulty: Any, marker: str) -> None:
    async with faulty(enabled=True) as client:
        assert (await client.post("/faults/error", params={"marker": marker})).status_code == 422

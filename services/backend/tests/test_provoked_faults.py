"""The fault routes, which exist only where they are asked for."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from backend.service import build
from backend.settings import BackendSettings

pytestmark = pytest.mark.anyio


def faulty(migrated_sqlite: Path, *, enabled: bool) -> httpx.AsyncClient:
    """Return a client of a backend with or without the fault routes."""
    settings = BackendSettings(database_url=f"sqlite+aiosqlite:///{migrated_sqlite}", faults_enabled=enabled)
    transport = httpx.ASGITransport(build(settings).app)
    return httpx.AsyncClient(
        transport=transport, base_url="http://backend", headers={"X-User-ID": "ann"}, trust_env=False
    )


@pytest.mark.parametrize("path", ["/faults/error?marker=m", "/faults/delay?seconds=0"])
async def test_off_unless_asked_for(migrated_sqlite: Path, path: str) -> None:
    async with faulty(migrated_sqlite, enabled=False) as client:
        assert (await client.post(path)).status_code == 404


async def test_the_error_is_a_500_that_hides_the_marker(migrated_sqlite: Path) -> None:
    async with faulty(migrated_sqlite, enabled=True) as client:
        response = await client.post("/faults/error", params={"marker": "find-me"})
    assert response.status_code == 500
    assert "find-me" not in response.text


@pytest.mark.parametrize(("seconds", "status"), [("0", 200), ("5.1", 422), ("-1", 422), ("nan", 422), ("inf", 422)])
async def test_the_delay_is_bounded(migrated_sqlite: Path, seconds: str, status: int) -> None:
    async with faulty(migrated_sqlite, enabled=True) as client:
        response = await client.post("/faults/delay", params={"seconds": seconds})
    assert response.status_code == status


@pytest.mark.parametrize("marker", ["", "a b", "x" * 201, "line\nbreak"])
async def test_a_marker_is_one_plain_word(migrated_sqlite: Path, marker: str) -> None:
    async with faulty(migrated_sqlite, enabled=True) as client:
        assert (await client.post("/faults/error", params={"marker": marker})).status_code == 422

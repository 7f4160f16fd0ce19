"""Readiness names what failed, has a deadline, and logs changes only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from servicekit.app import Service, create_app
from servicekit.database import Database, create_engine
from servicekit.health import Readiness
from servicekit.metrics import Metrics
from servicekit.settings import DatabaseSettings, ServiceSettings

Lines = Callable[[], list[dict[str, Any]]]

pytestmark = pytest.mark.anyio


async def get_ready(service: Service) -> httpx.Response:
    """Ask for readiness."""
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://example", trust_env=False) as client:
        assert (await client.get("/healthz")).status_code == 200, "liveness never depends on others"
        return await client.get("/readyz")


def with_database(url: str) -> Service:
    """Build a service whose readiness depends on the database at `url`."""
    metrics = Metrics()
    database = Database(create_engine(DatabaseSettings(database_url=url), application="example"), metrics)
    settings = ServiceSettings(service_name="example", readiness_timeout_seconds=1)
    return create_app(settings, metrics=metrics, routers=[], database=database)


async def test_ready_with_a_database() -> None:
    response = await get_ready(with_database("sqlite+aiosqlite://"))
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": {"database": "ok"}})


async def test_not_ready_when_the_database_is_away(free_port: int) -> None:
    service = with_database(f"postgresql+asyncpg://someone@127.0.0.1:{free_port}/private_name")
    response = await get_ready(service)
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["checks"] == {"database": "ConnectionRefusedError"}
    assert "private_name" not in response.text


async def test_a_check_that_hangs_has_a_deadline() -> None:
    readiness = Readiness({"slow": anyio.sleep_forever, "quick": anyio.lowlevel.checkpoint}, 0.05)
    with anyio.fail_after(2):
        assert await readiness.report() == {"slow": "no answer within 0.05 s", "quick": "ok"}


async def test_not_ready_while_draining(service: Service) -> None:
    service.readiness.draining = True
    response = await get_ready(service)
    assert (response.status_code, response.json()["detail"]) == (503, "The service is shutting down.")


async def test_only_changes_are_logged(lines: Lines) -> None:
    failing = True

    async def check() -> None:
        if failing:
            raise ConnectionError("no")

    readiness = Readiness({"other": check}, 1)
    for _ in range(3):
        await readiness.report()
    failing = False
    for _ in range(3):
        await readiness.report()
    logged = [(line["level"], line["dependency"], line["outcome"]) for line in lines()]
    assert logged == [("WARNING", "other", "ConnectionError"), ("INFO", "other", "ok")]

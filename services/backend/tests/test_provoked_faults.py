"""The fault routes, which exist only where they are asked for."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.service import build
from servicekit.events import EventError, parse_event
from testkit.events import KeptPublisher

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 60


class Faulty:
    """Makes clients of a backend with or without the fault routes, on a database of its own."""

    def __init__(self, database: Path, settings_of: Any, client_of: Any) -> None:
        self._database = database
        self._settings_of = settings_of
        self._client_of = client_of

    def __call__(self, *, enabled: bool) -> httpx.AsyncClient:
        url = f"sqlite+aiosqlite:///{self._database}"
        settings = self._settings_of(database_url=url, faults_enabled=enabled)
        client: httpx.AsyncClient = self._client_of(build(settings, KeptPublisher()))
        return client

    def rows(self) -> list[str]:
        """Return the events that wait in the outbox."""
        with closing(sqlite3.connect(self._database)) as connection:
            return [row[0] for row in connection.execute("SELECT event FROM outbox")]


@pytest.fixture
def faulty(migrated_sqlite: Path, tmp_path: Path, settings_of: Any, client_of: Any) -> Faulty:
    """Clients of a backend whose relay does not run."""
    return Faulty(Path(shutil.copy(migrated_sqlite, tmp_path)), settings_of, client_of)


@pytest.mark.parametrize("path", ["error?marker=m", "delay?seconds=0", "cpu?seconds=0", "event?kind=malformed"])
async def test_off_unless_asked_for(faulty: Faulty, path: str) -> None:
    async with faulty(enabled=False) as client:
        assert (await client.post(f"/faults/{path}")).status_code == 404


async def test_the_error_is_a_500_that_hides_the_marker(faulty: Faulty) -> None:
    async with faulty(enabled=True) as client:
        response = await client.post("/faults/error", params={"marker": "find-me"})
    assert response.status_code == 500
    assert "find-me" not in response.text


@pytest.mark.parametrize(("seconds", "status"), [("0", 200), ("5.1", 422), ("-1", 422), ("nan", 422), ("inf", 422)])
async def test_the_delay_is_bounded(faulty: Faulty, seconds: str, status: int) -> None:
    async with faulty(enabled=True) as client:
        response = await client.post("/faults/delay", params={"seconds": seconds})
    assert response.status_code == status


@pytest.mark.parametrize("marker", ["", "a b", "x" * 201, "line\nbreak"])
async def test_a_marker_is_one_plain_word(faulty: Faulty, marker: str) -> None:
    async with faulty(enabled=True) as client:
        assert (await client.post("/faults/error", params={"marker": marker})).status_code == 422


@pytest.mark.parametrize(("seconds", "status"), [("0", 202), ("120.1", 422), ("-1", 422), ("nan", 422)])
async def test_the_burning_is_bounded(faulty: Faulty, seconds: str, status: int) -> None:
    async with faulty(enabled=True) as client:
        response = await client.post("/faults/cpu", params={"seconds": seconds})
    assert response.status_code == status


async def test_one_core_burns_while_probes_are_answered(faulty: Faulty) -> None:
    async with faulty(enabled=True) as client:
        before = time.process_time()
        for _ in range(3):
            assert (await client.post("/faults/cpu", params={"seconds": 1})).status_code == 202
        burners = [thread for thread in threading.enumerate() if thread.name == "burner"]
        assert len(burners) == 1, "asking more often only makes it longer"
        assert (await client.get("/healthz")).status_code == 200
        assert burners[0].is_alive(), "the answer did not wait for the end"
        await asyncio.to_thread(burners[0].join, DEADLINE_SECONDS)
        assert not burners[0].is_alive(), "it ends by itself"
        assert time.process_time() > before
        assert (await client.post("/faults/cpu", params={"seconds": 0})).status_code == 202


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("malformed", "neither before nor after"), ("unknown-version", "unknown version of sluice.task.updated: '99'")],
)
async def test_a_bad_event_goes_the_way_of_all_events(faulty: Faulty, kind: str, reason: str) -> None:
    async with faulty(enabled=True) as client:
        response = await client.post("/faults/event", params={"kind": kind})
    assert response.status_code == 202
    (row,) = faulty.rows()
    event = json.loads(row)
    assert event["id"] == response.json()["id"]
    assert event["partitionkey"] == "ann"
    with pytest.raises(EventError, match=reason):
        parse_event(row)


async def test_there_are_two_kinds_of_bad_events(faulty: Faulty) -> None:
    async with faulty(enabled=True) as client:
        assert (await client.post("/faults/event", params={"kind": "good"})).status_code == 422

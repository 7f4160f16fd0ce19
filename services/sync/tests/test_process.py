"""The real program: `python3 -m servicekit` with SERVICE_MODULE=sync, and how it stops with clients connected."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from testkit.tokens import Keys

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 60.0
SERVICES = Path(__file__).parents[2]
SOURCES = (SERVICES / "servicekit" / "src", SERVICES / "sync" / "src")


def environment(**values: object) -> dict[str, str]:
    """Return the environment of sync; nothing of the caller's but its PATH."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "SERVICE_MODULE": "sync",
        **{name.upper(): str(value) for name, value in values.items()},
    }


@pytest.fixture
def port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def process(
    database_file: Path, secrets: dict[str, object], port: int, tmp_path: Path
) -> Iterator[subprocess.Popen[str]]:
    """A running sync that is ready."""
    values = {
        **secrets,
        "database_url": f"sqlite+aiosqlite:///{shutil.copy(database_file, tmp_path)}",
        "http_host": "127.0.0.1",
        "http_port": port,
        "shutdown_drain_seconds": 1,
        "drain_spread_seconds": 0.5,
    }
    command = [sys.executable, "-m", "servicekit", "serve"]
    with subprocess.Popen(
        command, env=environment(**values), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while running.poll() is None and not ready(port):
                assert time.monotonic() < deadline, "sync is not ready"
                time.sleep(0.02)
            yield running
        finally:
            running.kill()


def ready(port: int) -> bool:
    """Say whether it answers that it is ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


async def test_sigterm_tells_every_client_and_exits_with_0(process: Any, port: int, keys: Keys) -> None:
    async def hold(user: str, held: asyncio.Barrier) -> int:
        url = f"ws://127.0.0.1:{port}/api/v1/sync"
        async with connect(url, additional_headers=keys.headers(user), proxy=None) as connection:
            assert json.loads(await connection.recv())["type"] == "hello"
            await held.wait()
            with pytest.raises(ConnectionClosed):
                await connection.recv()
        assert connection.close_code is not None
        return connection.close_code

    held = asyncio.Barrier(6)
    async with asyncio.timeout(DEADLINE_SECONDS):
        clients = [asyncio.create_task(hold(f"user-{number}", held)) for number in range(5)]
        await held.wait()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.gather(*clients) == [1012] * 5
        output, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, output
    log = [json.loads(line) for line in output.splitlines()]
    closed = [line for line in log if line["message"] == "WebSocket connection closed"]
    assert [(line["code"], line["user_id"]) for line in sorted(closed, key=lambda line: line["user_id"])] == [
        (1012, f"user-{number}") for number in range(5)
    ]
    assert [line["message"] for line in log if line["level"] not in {"INFO", "DEBUG"}] == []
    assert log[-1]["message"] != "WebSocket connection closed", "the service stops after its connections"
    assert "bearer" not in output.lower()


def test_bad_settings_are_all_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "servicekit"],
        env=environment(heartbeat_seconds=0, max_connections="many", database_url="sqlite://"),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    for name in ("HEARTBEAT_SECONDS", "MAX_CONNECTIONS", "TOKEN_KEYS_FILE", "DAPR_APP_TOKEN_FILE"):
        assert name in json.loads(done.stdout)["error"]

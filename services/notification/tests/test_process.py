"""The real program: killed while it sends and started again, its log, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from notification.service import MIGRATIONS
from notification.settings import NotificationSettings
from testkit.settings import files_of_secrets, migrated
from testkit.tokens import Keys

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

DEADLINE_SECONDS = 120
SERVICES = Path(__file__).parents[2]
TRACE = "0af7651916cd43dd8448eb211c80319c"


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Poll until the condition holds; fail at the deadline, naming what was awaited."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"{what}: not within {DEADLINE_SECONDS} s")


@pytest.fixture
def variables(tmp_path: Path, keys: Keys) -> dict[str, str]:
    """The environment of the program, on a migrated database of its own."""
    values = files_of_secrets(tmp_path, keys) | {"database_url": f"sqlite+aiosqlite:///{tmp_path}/notification.db"}
    # This fixture is not async, so migrating may have a loop of its own.
    migrated(NotificationSettings, values, service="notification", scripts=MIGRATIONS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values |= {
        "http_host": "127.0.0.1",
        "http_port": port,
        "shutdown_drain_seconds": 0,
        "webhook_allowed_hosts": "127.0.0.1",
        "delivery_timeout_seconds": 3,
        "delivery_lease_seconds": 6,
    }
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(source) for source in sorted(SERVICES.glob("*/src"))),
        "PYTHONUNBUFFERED": "1",
        **{name.upper(): str(value) for name, value in values.items()},
    }


@asynccontextmanager
async def running(variables: dict[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the program until it is ready, and to its end."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notification", env=variables, stdout=output, stderr=output
        )

    async def ready() -> bool:
        assert process.returncode is None, log.read_text()
        async with client_of(variables) as client:
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

    try:
        await until(ready, "the program is ready")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def client_of(variables: dict[str, str]) -> httpx.AsyncClient:
    """Return a client of the program."""
    address = f"http://127.0.0.1:{variables['HTTP_PORT']}"
    return httpx.AsyncClient(base_url=address, trust_env=False, timeout=DEADLINE_SECONDS)


async def test_killed_while_sending_it_sends_again_after_the_lease(
    system: Any, receiver: Any, variables: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    event = system.reminder() | {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    receiver.script.append("hang")

    async def requested() -> bool:
        return bool(receiver.requests)

    async with running(variables, log) as process, client_of(variables) as client:
        system.client, used = client, system.client
        await system.channel(url=receiver.url(), secret="whsec_" + "A" * 32)
        await system.event("reminders", event)
        await until(requested, "the webhook is under way")
        process.send_signal(signal.SIGKILL)
    async with running(variables, log) as process, client_of(variables) as client:
        system.client = client

        async def delivered() -> bool:
            return [delivery["state"] for delivery in await system.deliveries()] == ["delivered"]

        await until(delivered, "the delivery is made again")
        (delivery,) = await system.deliveries()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), DEADLINE_SECONDS) == 0
    system.client = used
    assert delivery["attempts"] == 2
    assert [request.headers["webhook-id"] for request in receiver.requests] == [delivery["id"]] * 2
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (sent,) = [line for line in lines if line["message"] == "notification delivered"]
    assert (sent["trace_id"], sent["user_id"], sent["channel"], sent["attempt"]) == (TRACE, "ann", "webhook", 2)
    for hidden in ("whsec_", "hidden"):
        assert hidden not in log.read_text()

"""What the server does with signals; the whole process is tested with the backend."""

from __future__ import annotations

import asyncio
import signal

import pytest
import uvicorn

from servicekit.app import Service
from servicekit.server import DrainingServer

pytestmark = pytest.mark.anyio


def server_of(service: Service, *, started: bool) -> DrainingServer:
    """Return a server that need not listen for its signals to be tried."""
    server = DrainingServer(uvicorn.Config(service.app, log_config=None), service.readiness, 0.01)
    server.started = started
    server._loop = asyncio.get_running_loop()
    return server


async def test_sigterm_drains_and_then_stops(service: Service) -> None:
    server = server_of(service, started=True)
    server.handle_exit(signal.SIGTERM, None)
    assert (service.readiness.draining, server.should_exit) == (True, False)
    async with asyncio.timeout(5):
        while not server.should_exit:
            await asyncio.sleep(0)
    assert not server.force_exit


async def test_sigterm_before_the_start_is_over_stops_at_once(service: Service) -> None:
    server = server_of(service, started=False)
    server.handle_exit(signal.SIGTERM, None)
    assert (server.should_exit, server.force_exit) == (True, False)


async def test_a_second_sigterm_ends_the_drain_but_not_the_requests(service: Service) -> None:
    server = server_of(service, started=True)
    server.handle_exit(signal.SIGTERM, None)
    server.handle_exit(signal.SIGTERM, None)
    assert (server.should_exit, server.force_exit) == (True, False)


async def test_a_second_interrupt_ends_the_requests_too(service: Service) -> None:
    server = server_of(service, started=True)
    server.handle_exit(signal.SIGINT, None)
    assert (server.should_exit, server.force_exit) == (True, False)
    server.handle_exit(signal.SIGINT, None)
    assert server.force_exit


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_no_signal_is_raised_again_at_the_end(service: Service, number: signal.Signals) -> None:
    server = server_of(service, started=True)
    for _ in range(2):
        server.handle_exit(number, None)
    assert server._captured_signals == [], "uvicorn raises these again, and the exit status would not be 0"

"""Uvicorn that drains: on SIGTERM readiness fails first, then requests in flight finish, then it exits 0."""

from __future__ import annotations

import asyncio
import signal
import socket
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from servicekit.health import Readiness
from servicekit.settings import ServiceSettings

# Longer than what proxies keep idle connections open, so that it is never this side that closes first.
_KEEP_ALIVE_SECONDS = 75
# Shorter than what proxies and NAT let a silent connection live; a peer that misses one ping is given up.
_PING_SECONDS = 20.0
_PONG_SECONDS = 20.0
# What clients send is small; a larger message is refused by the protocol with 1009.
_WEBSOCKET_MESSAGE_BYTES = 16 * 1024

_log = structlog.stdlib.get_logger("servicekit.server")


class DrainingServer(uvicorn.Server):
    """Serves on for a while after SIGTERM, until the load balancers have seen that readiness fails."""

    def __init__(self, config: uvicorn.Config, readiness: Readiness, drain_seconds: float) -> None:
        super().__init__(config)
        self._readiness = readiness
        self._drain_seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop: a signal handler has to hand its work over to it."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM drains; a second one, or SIGINT, stops at once. The exit status is 0, unlike uvicorn's."""
        first = not self._readiness.draining
        self._readiness.draining = True
        if sig == signal.SIGTERM and first and self.started and self._loop is not None:
            # No log line here: a signal may have interrupted the writing of another one.
            self._loop.call_soon_threadsafe(self._drain)
            return
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    def _drain(self) -> None:
        _log.info("draining", drain_seconds=self._drain_seconds)
        for call in self._readiness.at_drain:
            call()
        asyncio.get_running_loop().call_later(self._drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def configuration(app: FastAPI, settings: ServiceSettings, *, websockets: bool = False) -> uvicorn.Config:
    """Return how a service is served; `websockets` needs the package of that name."""
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="asyncio",
        http="h11",
        ws="servicekit.websocket_protocol:WebSocketProtocol" if websockets else "none",
        ws_max_size=_WEBSOCKET_MESSAGE_BYTES,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PONG_SECONDS,
        # The windows cost tens of kilobytes a connection, more than all else of it; messages are small.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_timeout_seconds,
    )


def serve(app: FastAPI, settings: ServiceSettings, readiness: Readiness, *, websockets: bool = False) -> None:
    """Serve until a signal; returns after a graceful end."""
    config = configuration(app, settings, websockets=websockets)
    DrainingServer(config, readiness, settings.shutdown_drain_seconds).run()

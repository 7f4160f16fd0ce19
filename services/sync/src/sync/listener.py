"""LISTEN on a connection of its own. What is announced while it is away is caught up with when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from prometheus_client import Gauge

from servicekit.background import Background
from servicekit.database import create_engine
from servicekit.settings import DatabaseSettings
from sync.announce import CHANNEL, Grown, read_announcement

# A peer that vanished without a word is noticed within both together; looking at the streams is a safety net.
_LOOK_SECONDS = 15.0
_ANSWER_SECONDS = 5.0

_log = structlog.stdlib.get_logger("sync.listener")


class ListenerLost(ConnectionError):
    """Raised when the listening connection ended; the background work then begins anew."""


class Listener:
    """Hears the database's notifications and calls `grown`; calls `catch_up` whenever some may have been missed."""

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        application: str,
        grown: Grown,
        catch_up: Callable[[], Awaitable[None]],
        connected: Gauge,
    ) -> None:
        self._settings = settings
        self._application = f"{application}-listener"
        self._grown = grown
        self._catch_up = catch_up
        self._connected = connected

    def background(self) -> Background:
        """The listening, for the app to run: it is begun again, after a growing pause, when the connection is lost."""
        return Background("listener", self.listen)

    async def listen(self) -> None:
        """Listen until the connection is lost. Raises ListenerLost, or what connecting raises."""
        engine = create_engine(self._settings, application=self._application, pooled=False)
        try:
            async with engine.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                lost = asyncio.Event()
                driver.add_termination_listener(lambda _connection: lost.set())
                await driver.add_listener(CHANNEL, self._heard)
                self._connected.set(1)
                _log.info("listening", channel=CHANNEL)
                await self._watch(driver, lost)
        finally:
            self._connected.set(0)
            await engine.dispose()

    async def _watch(self, driver: Any, lost: asyncio.Event) -> None:
        while not lost.is_set():
            # Only now, while listening: what commits from here on is announced.
            await self._catch_up()
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await lost.wait()
            except TimeoutError:
                await driver.execute("SELECT 1", timeout=_ANSWER_SECONDS)
        raise ListenerLost("the database closed the listening connection")

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        announced = read_announcement(payload)
        if announced is None:
            _log.warning("notification not understood", payload=payload[:100])
            return
        self._grown(*announced)

"""One client's connection: a bounded queue of messages, and the task that sends them with a deadline each.

Nobody waits for a client: the hub puts messages into the queue or, where it is full, ends the connection.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from sync.close_codes import CloseCode, Ended
from sync.messages import Heartbeat
from sync.metrics import MessageType, SyncMetrics

_LONGEST_CLIENT_MESSAGE = 1_024
# A client has nothing to say but pong, and need not say that.
_CLIENT_MESSAGES = 30
_CLIENT_MESSAGES_SECONDS = 10.0
_LOST = 1006


@dataclass(frozen=True)
class Limits:
    """What one connection may use: its queue (messages, bytes), and seconds for one message to be taken."""

    queue_messages: int
    queue_bytes: int
    write_timeout_seconds: float
    heartbeat_seconds: float


@dataclass(frozen=True, slots=True)
class Message:
    """A change as it is sent: made once, whoever gets it. `happened` is in seconds since the epoch."""

    sequence: int
    text: str
    size: int
    happened: float


class Connection:
    """A client's WebSocket, of `owner`.

    `queued` is the last sequence that was put into the queue or sent, `sent` counts changes, `accepted` says that the
    client got its hello, and `ended` why it is over, once it is.
    """

    def __init__(self, websocket: WebSocket, owner: str, limits: Limits, metrics: SyncMetrics) -> None:
        self.owner = owner
        self.queued = 0
        self.sent = 0
        self.accepted = False
        self.ended: Ended | None = None
        self._by_client = False
        self._websocket = websocket
        self._limits = limits
        self._metrics = metrics
        self._queue: deque[Message] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._sending: asyncio.Timeout | None = None
        self._heard = 0
        self._heard_since = 0.0

    def offer(self, message: Message) -> bool:
        """Put a change into the queue and return whether it was taken; never waits.

        A connection whose queue is full is too slow, and ends. What it already has is not taken again.
        """
        if self.ended or message.sequence <= self.queued:
            return False
        full = self._bytes + message.size > self._limits.queue_bytes or len(self._queue) >= self._limits.queue_messages
        if full and self._queue:
            told = f"{len(self._queue)} messages of {self._bytes} bytes wait for this client, which does not read on"
            self.end(CloseCode.TOO_SLOW, told)
            return False
        self._queue.append(message)
        self._bytes += message.size
        self.queued = message.sequence
        self._wake.set()
        return True

    def end(self, code: int, reason: str, *, by_client: bool = False) -> None:
        """End the connection, even in the middle of a message that the client does not take. The first call counts."""
        if self.ended:
            return
        self.ended = Ended(code, reason)
        self._by_client = by_client
        self._queue.clear()
        self._bytes = 0
        self._wake.set()
        if self._sending is not None:
            self._sending.reschedule(asyncio.get_running_loop().time())

    def check(self) -> None:
        """Raise Ended where the connection ended."""
        if self.ended:
            raise Ended(self.ended.code, self.ended.reason)

    async def send(self, kind: MessageType, text: str) -> None:
        """Send one message. Raises Ended where the connection ended, or does not take it in time."""
        self.check()
        seconds = self._limits.write_timeout_seconds
        try:
            async with asyncio.timeout(seconds) as self._sending:
                try:
                    await self._websocket.send_text(text)
                finally:
                    self._sending = None  # before the deadline is left: it cannot be moved afterwards
        except TimeoutError:
            self.end(CloseCode.TOO_SLOW, f"the client took no message for {seconds:g} s")
        except WebSocketDisconnect:
            self.end(_LOST, "the connection was lost", by_client=True)
        self.check()
        self._metrics.sent.labels(kind).inc()

    async def send_change(self, message: Message) -> None:
        """Send a change past the queue, while there is nothing in it. Raises Ended."""
        await self.send("change", message.text)
        self.sent += 1
        self.queued = message.sequence

    async def send_queued(self) -> None:
        """Send what is put into the queue, and heartbeats, until the connection ends. Raises Ended."""
        while True:
            while self._queue:
                message = self._queue.popleft()
                self._bytes -= message.size
                await self.send("change", message.text)
                self.sent += 1
                self._metrics.fanout_seconds.observe(max(time.time() - message.happened, 0.0))
            self._wake.clear()
            self.check()
            try:
                async with asyncio.timeout(self._limits.heartbeat_seconds):
                    await self._wake.wait()
            except TimeoutError:
                await self.send("heartbeat", Heartbeat(sequence=self.queued).model_dump_json())

    async def receive(self) -> None:
        """Read what the client sends until it closes, or sends what is not understood."""
        while not self.ended:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                self.end(message.get("code") or _LOST, message.get("reason") or "", by_client=True)
            elif not _understood(message.get("text")):
                self.end(CloseCode.NOT_UNDERSTOOD, 'expected {"type":"pong"}, or nothing at all')
            elif self._too_many():
                told = f"more than {_CLIENT_MESSAGES} messages in {_CLIENT_MESSAGES_SECONDS:g} s"
                self.end(CloseCode.NOT_UNDERSTOOD, told)

    async def close(self) -> None:
        """Tell the client why it ended, unless it was the client that ended it."""
        if self.ended and not self._by_client:
            # It may be gone by now; then there is nobody to tell.
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._websocket.close(self.ended.code, self.ended.short_reason)

    def _too_many(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._heard_since > _CLIENT_MESSAGES_SECONDS:
            self._heard, self._heard_since = 0, now
        self._heard += 1
        return self._heard > _CLIENT_MESSAGES


def _understood(text: str | None) -> bool:
    if text is None or len(text) > _LONGEST_CLIENT_MESSAGE:
        return False
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("type") == "pong"

"""Uvicorn's WebSocket protocol with its loose ends tied: what a peer that reads nothing can cost is bounded.

Uvicorn waits with a close frame until the peer has read what came before, answers pings without regard to what is
still unsent, and ends dead connections only once all is flushed, which a dead peer never allows. Its lines hold the
raw query, and at DEBUG the library below logs every header, tokens included. It builds on attributes that uvicorn
does not promise to keep: the tests of `sync` show when they change.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

# The kernel's buffers count into the pod's memory and would grow to megabytes for a peer that does not read.
_SEND_BUFFER_BYTES = 64 * 1024
# How long a peer may take to read what is unsent and answer the close frame; then it learns nothing any more.
_CLOSE_SECONDS = 10.0
_KEEPALIVE_FAILED = 1011

_logger = logging.getLogger("uvicorn.websockets")
_logger.setLevel(logging.WARNING)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel keeps, and keep headers and frames, and what others already tell, out of the log."""
        super().connection_made(transport)
        self.logger = self.conn.logger = _logger
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    def handle_ping(self) -> None:
        """Answer a ping, unless its sender does not read what it was sent so far (RFC 6455, 5.5.3 allows that)."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        """Give up a peer that answered no ping: the app is told, and nothing waits for the flush."""
        super().keepalive_timeout()
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": _KEEPALIVE_FAILED, "reason": "keepalive ping timeout"}
        )
        self.transport.abort()

    async def send(self, message: ASGISendEvent) -> None:
        """Send as the base does, but never wait with a close frame, nor longer than some seconds for its answer."""
        if message["type"] != "websocket.close" or not self.handshake_complete or self.close_sent:
            await super().send(message)
            return
        if self.disconnected or self.transport.is_closing():
            raise ClientDisconnected
        blocked = not self.writable.is_set()
        self.writable.set()  # the frame goes behind what is unsent: the peer finds it when it reads on
        await super().send(message)
        if blocked:
            self.writable.clear()
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

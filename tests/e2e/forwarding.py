"""A TCP connection to a port of a pod, as `kubectl port-forward` makes it.

What the service proxy does to a request it does not do here: for a WebSocket it drops the query
(k8s.io/apimachinery, pkg/util/proxy/upgradeaware.go: tryUpgrade), and always the header Authorization.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from tests.e2e.sockets import Sockets
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

# Frames begin with their channel; the first one of each channel holds the port
# (k8s.io/kubelet, pkg/cri/streaming/portforward/websocket.go).
_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_CHUNK = 32 * 1024


@asynccontextmanager
async def forwarded(sockets: Sockets, namespace: str, pod: str, port: int) -> AsyncIterator[socket.socket]:
    """Give a connected socket: what is written to it goes to the pod's port, which the pod sees as its own loopback."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    path = f"api/v1/namespaces/{namespace}/pods/{pod}/portforward"
    try:
        # Nothing is read ahead: a user that reads slowly is to be felt at the other end.
        async with (
            sockets.open(path, params=[("ports", str(port))], subprotocols=[_PROTOCOL], max_queue=1) as tunnel,
            anyio.create_task_group() as group,
        ):
            group.start_soon(_inwards, tunnel, writer)
            group.start_soon(_outwards, reader, tunnel)
            yield theirs
            group.cancel_scope.cancel()
    finally:
        theirs.close()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _inwards(tunnel: ClientConnection, writer: asyncio.StreamWriter) -> None:
    begun: set[int] = set()
    with suppress(ConnectionClosed, OSError):
        async for frame in tunnel:
            assert isinstance(frame, bytes), "a text frame from the port-forward"
            channel, content = frame[0], frame[1:]
            if channel not in begun:
                begun.add(channel)
                continue
            assert channel != _ERROR, f"the port-forward failed: {content.decode(errors='replace')}"
            writer.write(content)
            await writer.drain()
    writer.close()


async def _outwards(reader: asyncio.StreamReader, tunnel: ClientConnection) -> None:
    with suppress(ConnectionClosed, OSError):
        while content := await reader.read(_CHUNK):
            await tunnel.send(bytes([_DATA]) + content)

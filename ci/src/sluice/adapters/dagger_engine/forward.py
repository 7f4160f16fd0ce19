"""Connections passed on to another host: what is known as localhost where images are, or as one port of a service."""

from collections.abc import Callable

import anyio
from anyio.abc import ByteReceiveStream, ByteStream, Listener, SocketStream

_CONNECT_SECONDS = 10


async def pass_on(listener: Listener[SocketStream], host: str, port: int, *, say: Callable[[str], None]) -> None:
    """Serve a listener for ever: each connection to it becomes one to `host`. `say` is told of those that cannot."""

    async def connected(near: SocketStream) -> None:
        async with near:
            try:
                with anyio.fail_after(_CONNECT_SECONDS):
                    far = await anyio.connect_tcp(host, port)
            except (OSError, TimeoutError) as error:
                say(f"{host}:{port} cannot be reached: {error or type(error).__name__}")
                return
            async with far, anyio.create_task_group() as group:
                group.start_soon(_pump, near, far)
                group.start_soon(_pump, far, near)

    await listener.serve(connected)


async def _pump(source: ByteReceiveStream, target: ByteStream) -> None:
    """Pass on until one side ends; the other direction may still have something to say."""
    try:
        async for part in source:
            await target.send(part)
        await target.send_eof()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        await target.aclose()  # either side broke off: the other pump ends by this

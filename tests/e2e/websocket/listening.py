"""A client of sync's WebSocket, by way of the API server: to whichever replica, or to one in particular."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from tests.e2e.forwarding import forwarded
from tests.e2e.kube import Kube
from tests.e2e.support import EFFECT_WITHIN, TOKEN_HEADER
from tests.e2e.users import Signer
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sluice.steps.run_suites import ServiceAddress

PATH = "/api/v1/sync"


class Listener:
    """An open connection. `hello` is the first message."""

    def __init__(self, socket: ClientConnection, hello: dict[str, Any]) -> None:
        self.socket = socket
        self.hello = hello

    async def changes(self, count: int, *, within: float = EFFECT_WITHIN) -> list[dict[str, Any]]:
        """The next so many changes; heartbeats in between are left out."""
        found: list[dict[str, Any]] = []
        with anyio.move_on_after(within):
            while len(found) < count:
                message = json.loads(await self.socket.recv())
                assert message["type"] in ("change", "heartbeat"), message
                if message["type"] == "change":
                    found.append(message)
        assert len(found) == count, f"{len(found)} of {count} changes within {within:g} s: {found}"
        return found

    async def closing(self, *, within: float) -> tuple[int | None, str | None]:
        """Read on until the service closes, and return its code and reason."""
        with anyio.move_on_after(within):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed:
                return self.socket.close_code, self.socket.close_reason
        raise AssertionError(f"the service did not close within {within:g} s")


@dataclass(frozen=True)
class Sync:
    """sync's WebSocket, opened as any user."""

    kube: Kube
    address: ServiceAddress
    signer: Signer

    @asynccontextmanager
    async def connection(
        self, *, token: str | None = None, after: int | None = None, pod: str = "", **how: Any
    ) -> AsyncIterator[ClientConnection]:
        """Open a connection and read nothing of it; `how` is what Sockets.open takes.

        With `after` it goes by a port-forward: the API server's proxy hands no query on.
        """
        headers = {TOKEN_HEADER: token} if token else {}
        address, sockets = self.address, self.kube.sockets
        if after is None:
            name = pod or address.name
            way = sockets.to_service(address.namespace, name, address.port, PATH, pod=bool(pod), headers=headers, **how)
            async with way as opened:
                yield opened
            return
        pod = pod or await self.kube.one_pod(address.name)
        url = f"ws://{address.name}{PATH}?after={after}"
        async with (
            forwarded(sockets, address.namespace, pod, address.port) as stream,
            connect(url, sock=stream, additional_headers=headers, compression=None, **how) as opened,
        ):
            yield opened

    @asynccontextmanager
    async def listening(self, user: str, *, token: str | None = None, **how: Any) -> AsyncIterator[Listener]:
        """Connect as a user and read the greeting."""
        async with self.connection(token=token or self.signer.token(user), **how) as socket:
            with anyio.fail_after(EFFECT_WITHIN):
                hello = json.loads(await socket.recv())
            assert hello["type"] == "hello", hello
            yield Listener(socket, hello)


def told(changes: list[dict[str, Any]]) -> list[tuple[int, str, str]]:
    """Sequence, what happened (such as `created`) and task of each change."""
    found = []
    for change in changes:
        event = change["event"]
        name = event["type"].removeprefix("sluice.task.").partition(".v")[0]
        found.append((change["sequence"], name, event["task_id"]))
    return found

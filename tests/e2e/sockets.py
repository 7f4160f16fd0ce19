"""WebSockets through the API server: to a service, to one particular pod, and for a command inside a container."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from sluice.adapters.kubernetes.connection import WebSocketAccess
from sluice.adapters.kubernetes.service_proxy import proxy_path

_OPENED_WITHIN = 15.0
# https://kubernetes.io/docs/reference/using-api/api-concepts/ names the protocol; k8s.io/apimachinery's
# pkg/util/remotecommand/constants.go its channels.
_EXEC_PROTOCOL = "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _STATUS = range(4)


@dataclass(frozen=True)
class Ran:
    """What a command in a container did; `status` is its exit status."""

    stdout: str
    stderr: str
    status: int


class Sockets:
    """Opens WebSockets with the kubeconfig's credentials."""

    def __init__(self, access: WebSocketAccess) -> None:
        self._access = access

    @asynccontextmanager
    async def open(
        self,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
        **options: Any,
    ) -> AsyncIterator[ClientConnection]:
        """Open a path below the API server; `options` are those of websockets' connect.

        Raises websockets' InvalidStatus where the upgrade is refused.
        """
        access = self._access
        given = {"compression": None, "ping_interval": None, "open_timeout": _OPENED_WITHIN, **options}
        if access.tls:
            given |= {"ssl": access.tls} | ({"server_hostname": access.server_name} if access.server_name else {})
        address = f"{access.server.rstrip('/')}/{path.lstrip('/')}" + (f"?{urlencode(params)}" if params else "")
        async with connect(
            address,
            additional_headers={**(headers or {}), **access.headers},
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            proxy=None if access.direct else True,
            **given,
        ) as socket:
            yield socket

    @asynccontextmanager
    async def to_service(
        self, namespace: str, name: str, port: int, path: str, *, pod: bool = False, **how: Any
    ) -> AsyncIterator[ClientConnection]:
        """Open a path of a service, or of the one pod of that name; `how` is what `open` takes."""
        prefix = proxy_path("pods" if pod else "services", namespace, name, port)
        async with self.open(prefix + path.lstrip("/"), **how) as socket:
            yield socket

    async def run(self, namespace: str, pod: str, container: str, command: Sequence[str], *, within: float = 30) -> Ran:
        """Run a command in a container and return what it said. Raises TimeoutError after `within` seconds."""
        with anyio.fail_after(within):
            async with self.command(namespace, pod, container, command) as running:
                return await running.end()

    @asynccontextmanager
    async def command(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> AsyncIterator["Running"]:
        """Start a command in a container. Nothing ends it but itself: it should end when its input says so."""
        params = [("command", word) for word in command]
        params += [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        path = f"api/v1/namespaces/{namespace}/pods/{pod}/exec"
        async with self.open(path, params=params, subprotocols=[_EXEC_PROTOCOL]) as socket:
            yield Running(socket)


class Running:
    """A command that runs in a container."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._said = {_STDOUT: b"", _STDERR: b"", _STATUS: b""}

    async def tell(self, line: str) -> None:
        """Write a line to its input."""
        await self._socket.send(bytes([_STDIN]) + line.encode() + b"\n")

    async def line(self) -> str:
        """The next line of its output."""
        while b"\n" not in self._said[_STDOUT]:
            assert await self._read(), f"the command ended before it said what was expected: {self._said}"
        line, _, self._said[_STDOUT] = self._said[_STDOUT].partition(b"\n")
        return line.decode()

    async def end(self) -> Ran:
        """Wait for its end, and return what it said that was not read yet."""
        while await self._read():
            pass
        assert self._said[_STATUS], f"the command ended without a status: {self._said}"
        status = _exit_status(self._said[_STATUS])
        return Ran(self._said[_STDOUT].decode(), self._said[_STDERR].decode(), status)

    async def _read(self) -> bool:
        """Take in one frame; False at the end: a close frame, or just that of the connection."""
        try:
            frame = await self._socket.recv()
        except ConnectionClosed:
            return False
        assert isinstance(frame, bytes), "a text frame from a command"
        self._said[frame[0]] += frame[1:]
        return True


def _exit_status(told: bytes) -> int:
    """The exit status in the v1.Status that ends a command."""
    status = json.loads(told)
    if status["status"] == "Success":
        return 0
    causes = status.get("details", {}).get("causes", [])
    found = [cause["message"] for cause in causes if cause.get("reason") == "ExitCode"]
    assert found, f"the command did not run: {status}"
    return int(found[0])

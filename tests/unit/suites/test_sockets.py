"""WebSockets to a server of this test's own, which speaks as the API server does."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.e2e.sockets import Ran, Sockets
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError
from websockets.typing import Subprotocol

from sluice.adapters.kubernetes.connection import WebSocketAccess

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


HEAR = b"hear"


class ApiServer:
    """Answers a command with `frames`, waiting for one where HEAR stands; anything else with its path and headers."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.told: list[bytes] = []
        self.asked: dict[str, list[str]] = {}

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request
        address = urlsplit(socket.request.path)
        self.asked = parse_qs(address.query)
        if address.path.endswith("/exec"):
            for frame in self.frames:
                if frame == HEAR:
                    self.told.append(bytes(await socket.recv(decode=False)))
                else:
                    await socket.send(frame)
        else:
            headers = socket.request.headers
            await socket.send(json.dumps([address.path, headers["Authorization"], headers.get("X-Mine")]))
            await socket.close(4401, "expired")


@pytest.fixture
def api_server() -> ApiServer:
    return ApiServer()


@asynccontextmanager
async def sockets_to(api_server: ApiServer) -> AsyncIterator[Sockets]:
    def first(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next(iter(offered), None)

    async with serve(api_server, "127.0.0.1", 0, select_subprotocol=first) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Sockets(WebSocketAccess(f"ws://127.0.0.1:{port}", None, None, True, {"Authorization": "Bearer k"}))


async def test_a_pod_is_reached_with_the_credentials_and_the_callers_headers(api_server: ApiServer) -> None:
    async with (
        sockets_to(api_server) as sockets,
        sockets.to_service("default", "sync-1", 8000, "/api/v1/sync", pod=True, headers={"X-Mine": "1"}) as socket,
    ):
        path, authorization, mine = json.loads(await socket.recv())
        with pytest.raises(ConnectionClosedError):
            await socket.recv()
        assert socket.close_code == 4401
    assert path == "/api/v1/namespaces/default/pods/http%3Async-1%3A8000/proxy/api/v1/sync"
    assert (authorization, mine) == ("Bearer k", "1")


async def test_a_command_tells_its_output_and_its_status(api_server: ApiServer) -> None:
    failed = {"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}
    api_server.frames = [b"\x01", b"\x01out", b"\x02err", b"\x01put", b"\x03" + json.dumps(failed).encode()]
    async with sockets_to(api_server) as sockets:
        ran = await sockets.run("default", "sync-1", "sync", ["echo", "a b", "&c"])
    assert ran == Ran("output", "err", 7)
    assert api_server.asked["command"] == ["echo", "a b", "&c"]
    assert api_server.asked["container"] == ["sync"]


async def test_a_command_that_succeeds_has_status_zero(api_server: ApiServer) -> None:
    api_server.frames = [b'\x03{"status": "Success"}']
    async with sockets_to(api_server) as sockets:
        assert await sockets.run("default", "sync-1", "sync", ["true"]) == Ran("", "", 0)


async def test_a_command_is_told_and_says_line_by_line(api_server: ApiServer) -> None:
    api_server.frames = [b"\x01rea", b"\x01dy\nthe", HEAR, b"\x01 rest\n", b'\x03{"status": "Success"}']
    async with sockets_to(api_server) as sockets, sockets.command("default", "sync-1", "sync", ["cat"]) as running:
        assert await running.line() == "ready"
        await running.tell("go on")
        assert await running.end() == Ran("the rest\n", "", 0)
    assert api_server.told == [b"\x00go on\n"]


async def test_a_command_that_ends_before_its_line_fails(api_server: ApiServer) -> None:
    api_server.frames = [b"\x02no such module", b'\x03{"status": "Success"}']
    async with sockets_to(api_server) as sockets, sockets.command("default", "sync-1", "sync", ["cat"]) as running:
        with pytest.raises(AssertionError, match="no such module"):
            await running.line()


async def test_a_command_without_a_status_fails_and_one_that_did_not_run_says_why(api_server: ApiServer) -> None:
    async with sockets_to(api_server) as sockets:
        with pytest.raises(AssertionError, match="ended without a status"):
            await sockets.run("default", "sync-1", "sync", ["true"])
        api_server.frames = [b'\x03{"status": "Failure", "message": "no such container"}']
        with pytest.raises(AssertionError, match="no such container"):
            await sockets.run("default", "sync-1", "sync", ["true"])

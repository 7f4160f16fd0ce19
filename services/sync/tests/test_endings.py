"""How a connection ends: its token's end, clients that say or read the wrong thing, peers that are gone, the drain."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import Any

import pytest
from prometheus_client import Counter

from servicekit.database import Database, create_engine
from servicekit.metrics import Metrics
from sync.retention import Retention
from sync.store import Store
from testkit.tokens import Keys

pytestmark = pytest.mark.anyio

CLOSED = "websocket_connections_closed_total"


async def test_a_connection_ends_with_its_token(replica: Any, keys: Keys) -> None:
    short = {"Authorization": f"Bearer {keys.token('ann', seconds=2)}"}
    async with replica.connected("ann", additional_headers=short) as ann, replica.connected("ann") as other:
        await replica.change("ann")
        assert [one["sequence"] for one in await ann.changes(1)] == [1]
        assert await ann.close_code() == 4401
        assert ann.connection.close_reason == "the token has expired"
        await replica.change("ann")
        assert [one["sequence"] for one in await other.changes(2)] == [1, 2]


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "",
        "[]",
        "{}",
        '{"type":"ping"}',
        "null",
        "[" * 1000,
        '{"type":"pong","x":"' + "x" * 2000 + '"}',
        b"\x00\x01",
    ],
    ids=lambda value: str(value[:16]),
)
async def test_what_is_not_understood_ends_the_connection_with_4400(replica: Any, message: str | bytes) -> None:
    async with replica.connected("ann") as ann:
        await ann.connection.send(message)
        assert await ann.close_code() == 4400


async def test_pongs_are_understood_but_not_thousands_of_them(replica: Any) -> None:
    async with replica.connected("ann") as ann:
        await ann.connection.send('{"type":"pong"}')
        await replica.change("ann")
        await ann.changes(1)
        for _ in range(100):
            await ann.connection.send('{"type": "pong", "at": 1}')
        assert await ann.close_code() == 4400
        assert "more than 30 messages" in ann.connection.close_reason


async def test_a_huge_message_is_refused_by_the_protocol(replica: Any) -> None:
    async with replica.connected("ann") as ann:
        await ann.connection.send("x" * 100_000)
        assert await ann.close_code() == 1009
    await replica.until_sample(f"{CLOSED}{{code=1009}}", lambda value: value == 1)


async def test_the_codes_of_clients_make_no_series(replica: Any) -> None:
    for code in (1000, 1001, 3000, 4999):
        async with replica.connected("ann") as ann:
            await ann.connection.close(code)
    await replica.until_sample("websocket_connections_active", lambda value: value == 0)
    found = await replica.samples()
    assert [found[f"{CLOSED}{{code={label}}}"] for label in ("1000", "1001", "other")] == [1, 1, 2]
    assert not [name for name in found if "3000" in name or "4999" in name]


def slow_socket(port: int) -> socket.socket:
    """Return a connected socket with so small a buffer that little is taken before it is read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.setblocking(False)
    return connection


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a client that was cut all the time of the test to read on."""
    monkeypatch.setattr("servicekit.websocket_protocol._CLOSE_SECONDS", 600.0)


@pytest.mark.usefixtures("patient")
async def test_a_client_that_does_not_read_is_cut_and_nobody_waits_for_it(start: Any, settings: Any) -> None:
    replica = await start(settings, queue_messages=20)
    stuck = slow_socket(replica.port)
    async with (
        replica.connected("ann", sock=stuck, max_queue=1) as slow,
        replica.connected("ann") as quick,
        replica.connected("bob") as bob,
    ):
        number = 40
        writing = asyncio.create_task(replica.change("ann", number, description="d" * 40_000))
        assert [one["sequence"] for one in await quick.changes(number)] == list(range(1, number + 1))
        await writing
        await replica.change("bob")
        assert [one["sequence"] for one in await bob.changes(1)] == [1]
        await replica.until_sample(f"{CLOSED}{{code=4429}}", lambda value: value == 1)
        found = []
        while True:  # what was on its way, in order, and then why it ended
            try:
                found += [one["sequence"] for one in await slow.changes(1)]
            except Exception:  # noqa: BLE001 - whatever the client raises, the code tells
                break
        assert slow.connection.close_code == 4429
        assert "wait for this client" in slow.connection.close_reason
        assert found == list(range(1, len(found) + 1))
        assert len(found) < number
    async with replica.connected("ann", after=found[-1]) as again:
        assert [one["sequence"] for one in await again.changes(number - len(found))][-1] == number


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("after", [None, 0], ids=["live", "resumed"])
async def test_a_client_that_takes_no_message_in_time_is_cut(start: Any, settings: Any, after: int | None) -> None:
    replica = await start(settings, write_timeout_seconds=0.3)
    large = {"description": "d" * 100_000}
    if after is not None:
        await replica.change("ann", 8, **large)
    async with replica.connected("ann", after, sock=slow_socket(replica.port), max_queue=1) as slow:
        if after is None:
            await replica.change("ann", 8, **large)
        await replica.until_sample(f"{CLOSED}{{code=4429}}", lambda value: value == 1)
        await replica.until_sample("websocket_connections_active", lambda value: value == 0)
        assert await slow.close_code() == 4429
        assert "took no message for 0.3 s" in slow.connection.close_reason


async def test_a_client_that_never_reads_again_holds_nothing_open(
    start: Any, sqlite_settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("servicekit.websocket_protocol._CLOSE_SECONDS", 0.2)
    replica = await start(sqlite_settings, write_timeout_seconds=0.2)
    async with replica.connected("uma", sock=slow_socket(replica.port), max_queue=1) as slow:
        await replica.change("uma", 8, description="d" * 100_000)
        await replica.until_sample(f"{CLOSED}{{code=4429}}", lambda value: value == 1)
        async with asyncio.timeout(60):
            while any(hasattr(one, "handshake_complete") for one in replica.server.server_state.connections):
                await asyncio.sleep(0.01)
        slow.connection.transport.abort()


async def raw_websocket(replica: Any, keys: Keys, user: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a WebSocket by hand, with a peer that answers nothing by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    lines = [
        "GET /api/v1/sync HTTP/1.1",
        f"Host: 127.0.0.1:{replica.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Authorization: Bearer {keys.token(user)}",
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert b"101" in (await reader.readuntil(b"\r\n\r\n")).splitlines()[0]
    return reader, writer


async def test_a_peer_that_answers_no_ping_is_given_up(start: Any, sqlite_settings: Any, keys: Keys) -> None:
    of_server = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.2}
    replica = await start(sqlite_settings, of_server)
    reader, writer = await raw_websocket(replica, keys, "vic")
    async with replica.connected("vic") as alive:
        await replica.until_sample(f"{CLOSED}{{code=1011}}", lambda value: value == 1)
        async with asyncio.timeout(60):
            await reader.read()  # to the end: the connection is closed
        await replica.change("vic")
        assert len(await alive.changes(1)) == 1
    writer.close()


async def test_pings_of_a_peer_that_does_not_read_cost_no_memory(start: Any, sqlite_settings: Any, keys: Keys) -> None:
    replica = await start(sqlite_settings)
    reader, writer = await raw_websocket(replica, keys, "wim")
    await replica.change("wim", 8, description="d" * 100_000)
    await replica.until_sample("websocket_messages_sent_total{type=change}", lambda value: value > 0)
    ping = b"\x89\xfd\x00\x00\x00\x00" + b"p" * 125  # RFC 6455, 5.2: FIN and ping, masked with zeros, 125 bytes
    (peer,) = [one for one in replica.server.server_state.connections if hasattr(one, "handshake_complete")]
    before = peer.transport.get_write_buffer_size()
    assert before > 64 * 1024, "the peer reads nothing"
    for _ in range(2_000):
        writer.write(ping)
        await writer.drain()
    await replica.samples()
    assert peer.transport.get_write_buffer_size() <= before
    writer.transport.abort()
    del reader


async def test_draining_spreads_the_closes_and_refuses_who_comes(start: Any, settings: Any, keys: Keys) -> None:
    replica = await start(settings, drain_spread_seconds=0.6, shutdown_drain_seconds=1.5)
    loop = asyncio.get_running_loop()
    ended: list[float] = []

    async def hold(ready: asyncio.Barrier) -> None:
        async with replica.connected("ann") as ann:
            await ready.wait()
            assert await ann.close_code() == 1012
            ended.append(loop.time())

    ready = asyncio.Barrier(13)
    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(hold(ready))
        await ready.wait()
        started = loop.time()
        replica.server.handle_exit(signal.SIGTERM, None)
        await replica.until_sample(f"{CLOSED}{{code=1012}}", lambda value: value > 0)
        assert (await replica.refused(additional_headers=keys.headers("bob")))[0] == 1012
        assert json.loads((await replica.http.get("/readyz")).text)["title"] == "Not ready"
    assert max(ended) - started >= 0.5, "not all at once"
    assert len({round(moment, 2) for moment in ended}) > 3


async def test_a_client_that_retention_overtook_is_told_to_fetch_everything(
    start: Any, sqlite_settings: Any, numbered: Any
) -> None:
    replica = await start(sqlite_settings)
    database = Database(create_engine(sqlite_settings, application="tests", pooled=False), Metrics())
    async with replica.connected("xena") as xena:
        await numbered(sqlite_settings, "xena", 3)
        await Retention(database, days=7, per_owner=1, pruned=Counter("pruned", "", registry=None)).prune()
        await replica.change("xena")
        assert await xena.close_code() == 4409
    await database.close()


async def test_trouble_with_one_owners_changes_is_nobody_elses(
    start: Any, sqlite_settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Store.read

    async def broken(self: Store, owner: str, after: int, limit: int) -> Any:
        if owner == "yuri":
            raise ValueError("a row that cannot be read")
        return await read(self, owner, after, limit)

    monkeypatch.setattr(Store, "read", broken)
    replica = await start(sqlite_settings)
    async with replica.connected("yuri") as yuri, replica.connected("zoe") as zoe:
        for _ in range(4):  # more than there are workers
            await replica.change("yuri")
        assert await yuri.close_code() == 1011
        await replica.change("zoe")
        assert len(await zoe.changes(1)) == 1

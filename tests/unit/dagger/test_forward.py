"""forward.py: bytes go through both ways, ends are passed on, a host that is not there is told."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest
from anyio.abc import SocketStream

from sluice.adapters.dagger_engine.forward import pass_on
from sluice.entrypoints import engine_forward

pytestmark = pytest.mark.anyio


def port_of(listener: object) -> int:
    return int(listener.extra(anyio.abc.SocketAttribute.local_port))  # type: ignore[attr-defined]


@asynccontextmanager
async def echo(host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A host that says back what it hears, in one piece, once the other side said that that was all."""

    async def answer(client: SocketStream) -> None:
        async with client:
            heard = b"".join([part async for part in client])
            await client.send(b"heard " + heard)

    async with await anyio.create_tcp_listener(local_host=host) as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        yield port_of(listener)
        group.cancel_scope.cancel()


async def ask(port: int, *parts: bytes) -> bytes:
    with anyio.fail_after(10):
        async with await anyio.connect_tcp("127.0.0.1", port) as client:
            for part in parts:
                await client.send(part)
            await client.send_eof()
            return b"".join([part async for part in client])


async def test_what_is_said_and_that_it_ended_goes_through() -> None:
    large = b"x" * 1_000_000
    here = partial(anyio.create_tcp_listener, local_host="127.0.0.1")
    async with echo() as far, await here() as near, anyio.create_task_group() as group:
        group.start_soon(partial(pass_on, near, "127.0.0.1", far, say=pytest.fail))
        assert await ask(port_of(near), b"one ", b"two") == b"heard one two"
        assert await ask(port_of(near), large) == b"heard " + large
        group.cancel_scope.cancel()


async def test_a_host_that_is_not_there_is_told_and_the_next_connection_is_taken() -> None:
    said: list[str] = []
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as gone:
        nobody = port_of(gone)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as near, anyio.create_task_group() as group:
        group.start_soon(partial(pass_on, near, "127.0.0.1", nobody, say=said.append))
        assert await ask(port_of(near)) == b""
        assert await ask(port_of(near)) == b""
        group.cancel_scope.cancel()
    assert len(said) == 2
    assert f"127.0.0.1:{nobody} cannot be reached" in said[0]


# The far host is another address of this machine: the port on localhost would be forwarded to itself without end. And
# the command waits for its answer: where a connection comes in just as the listener's task is cancelled, asyncio's
# sock_accept sets a result on a cancelled future (seen on a loaded machine; outside of tests it is only logged).
TALKS = """
import socket, sys
with socket.create_connection(("localhost", int(sys.argv[1])), 10) as near:
    near.sendall(b"hello")
    near.shutdown(socket.SHUT_WR)
    sys.exit(7 if near.makefile("rb").read() == b"heard hello" else 1)
"""


async def test_a_command_meets_the_port_and_its_status_is_the_result() -> None:
    async with echo("127.0.0.2") as port:
        assert await engine_forward.work(port, "127.0.0.2", [sys.executable, "-c", TALKS, str(port)]) == 7

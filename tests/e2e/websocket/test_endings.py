"""Why a connection is refused or ended, told by its close code, and that nobody else waits for it."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.e2e.kube import Kube
from tests.e2e.sockets import Running
from tests.e2e.support import TOKEN_HEADER, Backend, shown
from tests.e2e.users import Signer
from tests.e2e.websocket.listening import PATH, Listener, Sync, told

from sluice.adapters.kubernetes.service_proxy import ServiceProxy

pytestmark = pytest.mark.anyio

TOKEN, NOT_UNDERSTOOD, RESUME_POINT_GONE, TOO_SLOW = 4401, 4400, 4409, 4429
CLOSED_WITHIN = 15.0
# A character of four bytes makes a task of 40 kB; the service keeps half a megabyte for a client that does not read.
LARGE = "\U0001f422" * 9_999
BURST = 5
MOST_CHANGES = 200
IDLE = """
import asyncio, json, socket, sys
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

async def main():
    host, port, path, headers = json.loads(sys.stdin.readline())
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect((host, port))
    url = f"ws://{host}:{port}{path}"
    async with connect(url, sock=small, additional_headers=headers, max_queue=1, compression=None) as opened:
        print(await opened.recv(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        try:
            while True:
                await opened.recv()
        except ConnectionClosed:
            print(json.dumps([opened.close_code, opened.close_reason]), flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["none", "expired", "forged"])
async def test_a_token_that_proves_nothing_is_refused(sync: Sync, signer: Signer, user: str, kind: str) -> None:
    tokens = {"none": None, "expired": signer.token(user, seconds=-1), "forged": signer.forger().token(user)}
    async with sync.connection(token=tokens[kind]) as refused:
        code, reason = await Listener(refused, {}).closing(within=CLOSED_WITHIN)
    assert code == TOKEN
    assert "token" in str(reason)


async def test_a_browser_hands_its_token_over_as_a_subprotocol(sync: Sync, signer: Signer, user: str) -> None:
    offered = ["sluice.v1", f"bearer.{signer.token(user)}"]
    async with sync.connection(subprotocols=offered) as opened:
        assert opened.subprotocol == "sluice.v1"
        assert '"hello"' in str(await opened.recv())


async def test_a_connection_ends_with_its_token(sync: Sync, backend: Backend, signer: Signer, user: str) -> None:
    seconds = 4.0
    started = time.monotonic()
    async with sync.listening(user, token=signer.token(user, seconds=seconds)) as listener:
        task = await backend.create()
        assert told(await listener.changes(1)) == [(1, "created", task["id"])]
        code, _ = await listener.closing(within=seconds + CLOSED_WITHIN)
    assert code == TOKEN
    # A token's times are whole seconds.
    assert time.monotonic() - started > seconds - 1.5


async def test_a_resume_point_that_was_never_given_is_refused(sync: Sync, signer: Signer, user: str) -> None:
    async with sync.connection(token=signer.token(user), after=10**6) as refused:
        assert (await Listener(refused, {}).closing(within=CLOSED_WITHIN))[0] == RESUME_POINT_GONE


async def test_a_client_that_talks_nonsense_is_cut(sync: Sync, user: str) -> None:
    async with sync.listening(user) as listener:
        await listener.socket.send("nonsense")
        assert (await listener.closing(within=CLOSED_WITHIN))[0] == NOT_UNDERSTOOD


async def test_a_client_that_does_not_read_is_cut_and_another_goes_on(
    sync: Sync, backend: Backend, user: str, kube: Kube
) -> None:
    pod = await kube.one_pod("sync")
    one_of_sync = ServiceProxy(kube.client, kube.namespace, pod, sync.address.port, kind="pods")
    cut_before = await cut(one_of_sync)
    made = 1
    async with idle_client(sync, user, pod) as idle, sync.listening(user, pod=pod) as quick:
        path = f"/api/v1/tasks/{(await backend.create())['id']}"
        heard = await quick.changes(1)
        while await cut(one_of_sync) == cut_before:
            assert made < MOST_CHANGES, f"after {made} changes the client that does not read is still connected"
            for number in range(BURST):
                body = {"description": LARGE, "title": f"number {made + number}"}
                shown(await backend.request("PATCH", path, json=body), 200)
            made += BURST
            heard += await quick.changes(BURST)
        # The service gave it up; what was under way still comes, and the close frame behind it.
        await idle.tell("read on")
        code, reason = json.loads(await idle.line())
        assert code == TOO_SLOW, f"{code}: {reason}"
        await backend.create()
        heard += await quick.changes(1)
    assert [one["sequence"] for one in heard] == list(range(1, made + 2))


@asynccontextmanager
async def idle_client(sync: Sync, user: str, pod: str) -> AsyncIterator[Running]:
    """A client inside the cluster, in the backend's container: nothing but its own small buffer lies in between.

    It reads the greeting, waits for a line, reads to the end and says the close code and its reason.
    """
    address = (await sync.kube.get(f"api/v1/namespaces/{sync.address.namespace}/pods/{pod}"))["status"]["podIP"]
    command = ["python3", "-c", IDLE]
    async with sync.kube.command(await sync.kube.one_pod("backend"), "backend", command) as running:
        # The token goes by the input: a command's words are shown to whoever lists processes.
        headers = {TOKEN_HEADER: sync.signer.token(user)}
        await running.tell(json.dumps([address, sync.address.port, PATH, headers]))
        assert '"hello"' in await running.line()
        yield running


async def cut(pod: ServiceProxy) -> float:
    """How many connections a pod has closed for being too slow."""
    wanted = f'websocket_connections_closed_total{{code="{TOO_SLOW}"}} '
    lines = (await pod.get("/metrics")).text.splitlines()
    return float(next(line for line in lines if line.startswith(wanted)).removeprefix(wanted))

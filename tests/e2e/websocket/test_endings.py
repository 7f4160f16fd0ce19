"""Why a connection is refused or ended, told by its close code, and that nobody else waits for it."""

import time
from collections.abc import Callable

import anyio
import pytest
from tests.e2e.kube import Kube
from tests.e2e.support import Backend, shown
from tests.e2e.users import Signer
from tests.e2e.websocket.listening import Listener, Sync, told

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

TOKEN, NOT_UNDERSTOOD, RESUME_POINT_GONE, TOO_SLOW = 4401, 4400, 4409, 4429
CLOSED_WITHIN = 15.0
# What lies between (the API server, the kernels' buffers) takes some megabytes before anybody notices a client that
# does not read. A character of four bytes makes a task of 40 kB.
LARGE = "\U0001f422" * 9_999
BURST = 10
MOST_CHANGES = 600


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
    sync: Sync, backend: Backend, user: str, kube: Kube, pod_of_sync: Callable[[str], ServiceProxy]
) -> None:
    pod = await kube.one_pod("sync")
    cut_before = await cut(pod_of_sync(pod))
    path = f"/api/v1/tasks/{(await backend.create())['id']}"
    made = 1

    async def change(number: int) -> None:
        body = {"description": LARGE, "title": f"number {number}"}
        shown(await backend.request("PATCH", path, json=body), 200)

    # A client whose queue is full reads no further, not even from its socket.
    async with (
        sync.listening(user, pod=pod, max_queue=1) as slow,
        sync.listening(user, pod=pod, after=0) as quick,
    ):
        heard = await quick.changes(1)
        with anyio.fail_after(60):
            while await cut(pod_of_sync(pod)) == cut_before:
                assert made < MOST_CHANGES, f"after {made} changes the client that does not read is still connected"
                for number in range(BURST):
                    await change(made + number)
                made += BURST
                heard += await quick.changes(BURST)
        # The service gave it up; what was under way still comes, and the close frame behind it.
        code, reason = await slow.closing(within=CLOSED_WITHIN)
        assert code == TOO_SLOW, f"{code}: {reason}"
        await change(made + 1)
        heard += await quick.changes(1)
    assert [one["sequence"] for one in heard] == list(range(1, made + 2))


@pytest.fixture
def pod_of_sync(kube: Kube, context: SuiteContext) -> Callable[[str], ServiceProxy]:
    """One pod of sync over HTTP."""
    address = context.services["sync"]
    return lambda pod: ServiceProxy(kube.client, address.namespace, pod, address.port, kind="pods")


async def cut(pod: ServiceProxy) -> float:
    """How many connections a pod has closed for being too slow."""
    wanted = f'websocket_connections_closed_total{{code="{TOO_SLOW}"}} '
    lines = (await pod.get("/metrics")).text.splitlines()
    return float(next(line for line in lines if line.startswith(wanted)).removeprefix(wanted))

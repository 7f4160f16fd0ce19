"""The promotion lock: who gets it, who is told to wait, and what its loss does to the holder."""

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from sluice.adapters.kubernetes.asking import ask
from sluice.adapters.kubernetes.holder import gone, this_process
from sluice.adapters.kubernetes.lease import NAME, held
from sluice.errors import ClusterError, LockLost, PromotionUnderWay

pytestmark = pytest.mark.anyio

SHORT = 1.2  # seconds that the lock lasts here: renewed every 0.4 s, lost after 0.8 s


class Server:
    """An API server that keeps one Lease, by the rules of resourceVersion. `fault` may answer in its place."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.writes = 0
        self.fault: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.lose_answer = False
        self.client = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(self._answer))

    @property
    def holder(self) -> str:
        return str((self.lease or {}).get("spec", {}).get("holderIdentity") or "")

    def put(self, holder: str, *, renewed: str = "2031-01-01T00:00:00.000000Z", lasts: int = 30) -> None:
        """Another one writes it."""
        spec = {"holderIdentity": holder, "renewTime": renewed, "acquireTime": renewed, "leaseDurationSeconds": lasts}
        self._keep({"metadata": {"name": NAME}, "spec": spec})

    def _keep(self, lease: dict[str, Any]) -> None:
        self.version += 1
        self.lease = {**lease, "metadata": {**lease["metadata"], "resourceVersion": str(self.version)}}

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()  # as a real one, it does not answer whoever is cancelled
        if faulty := self.fault(request):
            return faulty
        if request.method == "GET":
            return httpx.Response(200, json=self.lease) if self.lease else httpx.Response(404)
        body = httpx.Response(200, content=request.content).json()
        standing = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if body["metadata"].get("resourceVersion") != standing:
            return httpx.Response(409)
        self._keep(body)
        self.writes += 1
        if self.lose_answer:
            self.lose_answer = False
            raise httpx.ReadTimeout("lost", request=request)
        return httpx.Response(200, json=self.lease)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.01)


async def hold(server: Server, body: Callable[[], Awaitable[None]]) -> None:
    with anyio.fail_after(20):
        async with held(server.client, "default", holder="Ada", seconds=SHORT):
            await body()


def away(_: httpx.Request) -> httpx.Response:
    return httpx.Response(503, text="etcdserver: request timed out")


async def test_it_is_renewed_while_the_body_runs_and_let_go_at_the_end() -> None:
    server = Server()
    async with held(server.client, "default", holder="Ada", seconds=SHORT) as lock:
        assert (lock.holder, lock.after, server.holder) == ("Ada", "", "Ada")
        await until(lambda: server.writes >= 2)
    assert server.holder == ""


async def test_the_bodys_own_failure_comes_out_as_it_is() -> None:
    server = Server()
    with pytest.raises(ClusterError, match=r"^its own$"):
        async with held(server.client, "default", holder="Ada"):
            raise ClusterError("its own")
    assert server.holder == ""


async def test_it_is_let_go_when_the_body_is_cancelled() -> None:
    server = Server()
    with anyio.CancelScope() as scope:
        async with held(server.client, "default", holder="Ada"):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert server.holder == ""


async def test_a_holder_that_renews_it_is_told_who_it_is() -> None:
    server, said = Server(), list[str]()
    server.put("Eve")

    def renews(_: httpx.Request) -> None:
        server.put("Eve", renewed=f"2031-01-01T00:00:{server.version % 60:02}.000000Z")

    server.fault = renews
    with anyio.fail_after(20), pytest.raises(PromotionUnderWay) as caught:
        async with held(server.client, "default", holder="Ada", seconds=SHORT, say=said.append):
            pytest.fail("it is Eve's")
    assert caught.value.seen.startswith("Eve has the lock since 2031-01-01T00:00:")
    assert server.holder == "Eve"
    assert "waiting up to 30 s to see whether it is alive" in said[0]


async def test_with_patience_it_is_waited_for_until_it_is_free() -> None:
    server, said = Server(), list[str]()
    server.put("Eve")
    answers = iter(("Eve", "Eve", "Eve", ""))

    def renews(request: httpx.Request) -> None:
        if request.method == "GET" and (holder := next(answers, None)) is not None:
            server.put(holder, renewed=f"2031-01-01T00:00:0{server.version}.000000Z")

    server.fault = renews
    with anyio.fail_after(20):
        async with held(server.client, "default", holder="Ada", seconds=SHORT, patience_seconds=60, say=said.append):
            assert server.holder == "Ada"
    assert any("and renews it; waiting up to 60 s" in line for line in said)


async def test_a_namesake_is_another_one() -> None:
    server = Server()
    async with held(server.client, "default", holder="Ada", seconds=3):
        with anyio.fail_after(20), pytest.raises(PromotionUnderWay, match="Ada has the lock"):
            async with held(server.client, "default", holder="Ada", seconds=SHORT):
                pytest.fail("the other one has it")
        assert server.holder == "Ada"


async def test_a_write_whose_answer_was_lost_is_known_again() -> None:
    server = Server()
    server.lose_answer = True
    with anyio.fail_after(20):
        async with held(server.client, "default", holder="Ada", seconds=SHORT):
            before = server.writes
            server.lose_answer = True
            await until(lambda: server.writes >= before + 2)
    assert server.holder == ""


async def test_what_cannot_be_renewed_in_time_is_lost_with_the_last_cause() -> None:
    server, stopped = Server(), False

    async def body() -> None:
        nonlocal stopped
        server.fault = away
        try:
            await anyio.sleep_forever()
        finally:
            stopped = True
            server.fault = lambda _: None

    with pytest.raises(LockLost) as caught:
        await hold(server, body)
    assert stopped
    assert "503: etcdserver: request timed out" in caught.value.seen


async def test_an_api_server_that_is_away_for_a_moment_takes_no_lock_away() -> None:
    server = Server()
    async with held(server.client, "default", holder="Ada", seconds=SHORT):
        refused = iter("once")
        server.fault = lambda request: away(request) if next(refused, "") == "o" else None
        before = server.writes
        await until(lambda: server.writes > before)
    assert server.holder == ""


async def test_what_failed_while_the_lock_was_lost_is_its_cause() -> None:
    server = Server()

    async def body() -> None:
        server.put("Eve")
        try:
            await anyio.sleep_forever()
        finally:
            raise ClusterError("it was left half done")

    with pytest.raises(LockLost, match="Eve has it") as caught:
        await hold(server, body)
    assert isinstance(caught.value.__cause__, ClusterError)
    assert server.holder == "Eve", "what is another's is not let go"


async def test_a_refusal_is_told_at_once_and_no_answer_after_a_while() -> None:
    server = Server()
    server.fault = lambda _: httpx.Response(403, text="leases is forbidden")
    with pytest.raises(ClusterError, match="403: leases is forbidden"):
        async with held(server.client, "default", holder="Ada"):
            pytest.fail("nobody has it")
    server.fault = away
    with pytest.raises(ClusterError, match="503: etcdserver"):
        await ask(server.client, "GET", "/x", "a thing", longest_seconds=0)
    answers = iter((httpx.Response(503), httpx.Response(429), httpx.Response(404)))
    server.fault = lambda _: next(answers)
    assert (await ask(server.client, "GET", "/x", "a thing", pause_seconds=0)).status_code == 404


def test_a_process_is_gone_only_where_that_is_certain() -> None:
    us = this_process()
    boot, namespace, number, started = us.split(" ")
    assert number == str(os.getpid())
    assert not gone(us)
    assert gone(f"{boot} {namespace} {number} {int(started) - 1}"), "another process has its number"
    assert not gone(f"{boot} pid:[1] {number} 1"), "another container's"
    assert not gone(f"another-boot {namespace} {number} 1"), "another machine's"
    assert not gone("")
    assert not gone("nonsense")


def test_a_killed_process_is_gone_before_and_after_somebody_waits_for_it() -> None:
    tells = "from sluice.adapters.kubernetes.holder import this_process as p; print(p(), flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", tells], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as other:
        assert other.stdout
        process = other.stdout.readline().strip()
        assert not gone(process)
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is a zombie yet
        assert gone(process)
    assert gone(process)

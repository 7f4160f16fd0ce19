"""The promotion lock of a target, against a real API server."""

import os
import sys
from pathlib import Path

import anyio
import httpx
import pytest
from tests.contract.kubernetes.somebody import before_writing, patch

from sluice.adapters.kubernetes.lease import held
from sluice.errors import ClusterError, LockLost, PromotionUnderWay

pytestmark = pytest.mark.anyio

# Another process that holds the lock of a namespace until it is killed.
HOLDS = """
import sys, anyio
from pathlib import Path
from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.lease import held
async def main():
    async with connect(Path(sys.argv[1])) as client, held(client, sys.argv[2], holder="other@host:1", seconds=30):
        print("held", flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""


def lease_of(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/sluice-promotion"


async def test_of_two_that_want_the_lock_at_once_one_gets_it(api_server: httpx.AsyncClient, namespace: str) -> None:
    got: list[str] = []
    refused: list[PromotionUnderWay] = []
    both = anyio.Event()

    async def one(name: str) -> None:
        try:
            async with held(api_server, namespace, holder=name, seconds=3):
                got.append(name)
                await both.wait()
        except PromotionUnderWay as error:
            refused.append(error)
            both.set()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, "Ada")
            tasks.start_soon(one, "Grace")
    assert len(got) == len(refused) == 1
    assert refused[0].seen.startswith(f"{got[0]} has the lock since 20")


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_lock_that_somebody_takes_between_reading_and_writing_is_not_ours(
    api_server: httpx.AsyncClient, namespace: str, method: str
) -> None:
    spec = {"holderIdentity": "Eve", "leaseDurationSeconds": 30, "acquireTime": "2031-01-01T00:00:00.000000Z"}
    if method == "PUT":
        async with held(api_server, namespace, holder="somebody before"):
            pass

    async def faster() -> None:
        if method == "PUT":
            await patch(api_server, lease_of(namespace), {"spec": spec})
        else:
            body = {"metadata": {"name": "sluice-promotion"}, "spec": spec}
            assert (await api_server.post(lease_of(namespace).rpartition("/")[0], json=body)).is_success

    before_writing(api_server, faster)
    with anyio.fail_after(20), pytest.raises(PromotionUnderWay, match="Eve has the lock"):
        async with held(api_server, namespace, holder="Ada"):
            pytest.fail("it is Eve's")


async def test_the_lock_is_let_go_and_taken_again(api_server: httpx.AsyncClient, namespace: str) -> None:
    path = lease_of(namespace)
    for _ in range(2):
        async with held(api_server, namespace, holder="Ada") as lock:
            assert lock.after == ""
            spec = (await api_server.get(path)).json()["spec"]
            assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("Ada", 30)
        assert not (await api_server.get(path)).json()["spec"].get("holderIdentity")
    with pytest.raises(ZeroDivisionError):
        async with held(api_server, namespace, holder="Ada"):
            _ = 1 / 0
    assert not (await api_server.get(path)).json()["spec"].get("holderIdentity")


async def test_the_lock_of_a_killed_process_of_this_machine_is_taken_at_once(
    api_server: httpx.AsyncClient, cluster: Path, namespace: str
) -> None:
    command = [sys.executable, "-c", HOLDS, str(cluster), namespace]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    async with await anyio.open_process(command, stderr=None, env=environment) as other:
        assert other.stdout
        try:
            assert (await other.stdout.receive()).startswith(b"held")
        finally:
            other.kill()
    said: list[str] = []
    with anyio.fail_after(15):  # it lasts 30 s
        async with held(api_server, namespace, holder="Ada", say=said.append) as lock:
            assert lock.after == "other@host:1"
    assert said == ["the promotion lock of other@host:1 is taken over: its process is gone"]


async def test_a_lock_that_nobody_renews_is_taken_over_whatever_its_clock_says(
    api_server: httpx.AsyncClient, namespace: str
) -> None:
    spec = {
        "holderIdentity": "Eve",
        "leaseDurationSeconds": 1,
        "acquireTime": "2031-01-01T00:00:00.000000Z",
        "renewTime": "2031-01-01T00:00:00.000000Z",
        "leaseTransitions": 4,
    }
    body = {"metadata": {"name": "sluice-promotion"}, "spec": spec}
    assert (await api_server.post(lease_of(namespace).rpartition("/")[0], json=body)).is_success
    said: list[str] = []
    with anyio.fail_after(20):
        async with held(api_server, namespace, holder="Ada", say=said.append) as lock:
            assert lock.after == "Eve"
            assert (await api_server.get(lease_of(namespace))).json()["spec"]["leaseTransitions"] == 5
    assert said == [
        "Eve has the promotion lock since 2031-01-01T00:00:00; waiting up to 1 s to see whether it is alive",
        "the promotion lock of Eve is taken over: it did not renew it for 1 s",
    ]


@pytest.mark.parametrize("claim", [{"sluice.dev/claim": None}, {}], ids=["with a claim of its own", "by kubectl edit"])
async def test_a_lock_that_somebody_else_took_stops_the_holder(
    api_server: httpx.AsyncClient, namespace: str, claim: dict[str, None]
) -> None:
    path = lease_of(namespace)

    async def hold() -> None:
        with anyio.fail_after(20):
            async with held(api_server, namespace, holder="Ada", seconds=1):
                await patch(api_server, path, {"metadata": {"annotations": claim}, "spec": {"holderIdentity": "Eve"}})
                await anyio.sleep_forever()

    with pytest.raises(LockLost, match="Eve has it"):
        await hold()
    assert (await api_server.get(path)).json()["spec"]["holderIdentity"] == "Eve"


async def test_a_lock_that_was_deleted_is_held_on(api_server: httpx.AsyncClient, namespace: str) -> None:
    path = lease_of(namespace)
    with anyio.fail_after(20):
        async with held(api_server, namespace, holder="Ada", seconds=1):
            assert (await api_server.delete(path)).is_success
            while not (found := await api_server.get(path)).is_success:
                await anyio.sleep(0.05)
            assert found.json()["spec"]["holderIdentity"] == "Ada"


async def test_a_namespace_that_is_not_there_has_no_lock(api_server: httpx.AsyncClient) -> None:
    with pytest.raises(ClusterError, match='namespaces "nowhere" not found'):
        async with held(api_server, "nowhere", holder="Ada"):
            pytest.fail("nobody can hold it")

"""KindCluster with an engine of files, a `kind` of a few lines, and an API server that answers what a test says."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from tests.unit.core.support import FakeEngine, Served, container_json, program, serving

from sluice.adapters.kind import cluster as kind_module
from sluice.adapters.kind.cluster import KindCluster
from sluice.adapters.process import Completed
from sluice.errors import ClusterError, NotReady

pytestmark = pytest.mark.anyio

NODE, IMAGE = "mine-control-plane", "sluice.local/node:1"
KIND = """
import json, os, sys, time
words = sys.argv[1:]
folder, kubeconfig, behaviour = {folder!r}, {config!r}, open({behaviour!r}).read()
open({calls!r}, 'a').write(json.dumps(words) + chr(10))
container = os.path.join(folder, words[words.index('--name') + 1] + '-control-plane')
option = lambda name: words[words.index(name) + 1]
if words[0] == 'create':
    assert sys.stdin.read() == 'the config'
    if os.path.exists(container):
        print('ERROR: node(s) already exist for a cluster with the name', file=sys.stderr); sys.exit(1)
    made = {{'Id': 'made-%d' % os.getpid(), 'Config': {{'Image': option('--image')}}}}
    made['State'] = {{'Running': True, 'StartedAt': 'at noon'}}
    open(container, 'w').write(json.dumps(made))
    if behaviour == 'fails':
        print('ERROR: failed to init node with kubeadm', file=sys.stderr); sys.exit(1)
    if behaviour == 'hangs':
        time.sleep(300)
    open(option('--kubeconfig'), 'w').write(kubeconfig)
    print(' Starting control-plane')
else:
    os.unlink(container)
"""


def node(status: str, message: str = "") -> bytes:
    ready = {"type": "Ready", "status": status, "reason": "KubeletNotReady", "message": message}
    return json.dumps({"items": [{"status": {"conditions": [ready]}}]}).encode()


@dataclass
class Rig:
    cluster: KindCluster
    engine: FakeEngine
    api: Served
    folder: Path

    def behave(self, how: str) -> None:
        (self.folder / "behaviour").write_text(how)

    def kind_calls(self) -> list[str]:
        file = self.folder / "calls"
        return [json.loads(line)[0] for line in file.read_text().splitlines()] if file.exists() else []

    def mark(self) -> Path:
        return self.folder / "state" / "mine.json"

    def state(self, **changed: object) -> None:
        """Have the node's container in another state."""
        inspected = json.loads((self.engine.folder / NODE).read_text())
        inspected["State"] |= changed
        self.engine.put(NODE, inspected)

    async def create(self, said: list[str] | None = None) -> None:
        await self.cluster.create(IMAGE, "the config", (said if said is not None else []).append)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(kind_module, "_READY_SECONDS", 5)
    with serving({"/readyz": (200, b"ok"), "/api/v1/nodes": (200, node("True"))}) as api:
        config = yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": api.url}}], "users": [{"name": "u", "user": {}}],
        })  # fmt: skip
        engine = FakeEngine(tmp_path / "containers")
        kind = program(tmp_path / "kind", KIND.format(
            folder=str(engine.folder), config=config, behaviour=str(tmp_path / "behaviour"),
            calls=str(tmp_path / "calls"),
        ))  # fmt: skip
        (tmp_path / "state").mkdir()
        cluster = KindCluster(engine, kind, "mine", tmp_path / "state", tmp_path / "logs" / "kind.log")
        made = Rig(cluster, engine, api, tmp_path)
        made.behave("works")
        yield made


async def test_a_new_cluster_is_ours_and_runs(rig: Rig) -> None:
    said: list[str] = []
    assert not await rig.cluster.owned()
    await rig.create(said)
    assert await rig.cluster.owned()
    assert await rig.cluster.runs(IMAGE)
    assert not await rig.cluster.runs("sluice.local/node:2")
    assert "Starting control-plane" in said
    assert rig.cluster.kubeconfig.exists()


async def test_what_is_sent_to_a_service_never_leaves_for_the_hosts_gateway(rig: Rig) -> None:
    await rig.create()
    rules = [call[5:] for call in rig.engine.called("exec", NODE, "iptables", "-w", "-A")]
    refused = ("-p", "tcp", "-d", "10.96.0.0/16", "-j", "REJECT", "--reject-with", "tcp-reset")
    assert rules == [("OUTPUT", *refused), ("FORWARD", *refused)]


async def test_a_cluster_of_somebody_else_is_refused_and_left(rig: Rig) -> None:
    rig.engine.put(NODE, container_json("kindest/node:v1.34.0", number="theirs"))
    for ask in (rig.cluster.owned, rig.cluster.delete):
        with pytest.raises(ClusterError, match="mine exists that Sluice did not make") as caught:
            await ask()
        assert "kind delete cluster --name mine" in caught.value.next_command
    assert rig.engine.has(NODE)
    assert rig.kind_calls() == []


async def test_a_cluster_made_anew_by_somebody_else_under_our_mark_is_refused(rig: Rig) -> None:
    await rig.create()
    rig.engine.put(NODE, container_json(IMAGE, number="theirs"))
    with pytest.raises(ClusterError, match="did not make"):
        await rig.cluster.owned()


async def test_what_a_killed_start_left_is_known_to_be_ours(rig: Rig) -> None:
    rig.behave("hangs")
    async with anyio.create_task_group() as group:
        group.start_soon(rig.create)
        with anyio.fail_after(20):
            while not rig.engine.has(NODE):
                await anyio.sleep(0.01)
        # What a killed process leaves: container and mark as they are now.
        left, mark = (rig.engine.folder / NODE).read_text(), rig.mark().read_text()
        group.cancel_scope.cancel()
    assert not rig.engine.has(NODE), "a start that is only cancelled cleans up after itself"
    (rig.engine.folder / NODE).write_text(left)
    rig.mark().write_text(mark)
    assert await rig.cluster.owned()
    assert await rig.cluster.delete()
    assert not rig.engine.has(NODE)
    assert not rig.mark().exists()


async def test_a_killed_start_does_not_make_anothers_cluster_ours(rig: Rig) -> None:
    rig.mark().write_text(json.dumps({"made_by": "sluice", "node_id": None, "image": IMAGE}))
    rig.engine.put(NODE, container_json("kindest/node:v1.34.0", number="theirs"))
    with pytest.raises(ClusterError, match="did not make"):
        await rig.cluster.delete()
    assert rig.engine.has(NODE)


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
async def test_a_broken_mark_is_no_mark(rig: Rig, content: str) -> None:
    rig.mark().write_text(content)
    rig.engine.put(NODE, container_json(IMAGE))
    with pytest.raises(ClusterError, match="did not make"):
        await rig.cluster.owned()


async def test_a_start_that_fails_tells_why_keeps_the_nodes_words_and_leaves_nothing(rig: Rig) -> None:
    rig.behave("fails")
    with pytest.raises(ClusterError, match="kind could not make the cluster") as caught:
        await rig.create()
    assert "failed to init node with kubeadm" in caught.value.seen
    assert len(rig.engine.called("exec", NODE, "journalctl")) == 1
    assert rig.kind_calls() == ["create", "delete"], "nodes are kept until their words were read, then deleted"
    assert "--retain" in (rig.folder / "calls").read_text().splitlines()[0]
    assert not rig.engine.has(NODE)
    assert not rig.mark().exists()
    assert not rig.cluster.kubeconfig.exists()


async def test_a_node_that_the_engine_still_made_for_a_killed_run_is_replaced(rig: Rig) -> None:
    rig.engine.put(NODE, container_json(IMAGE, number="of a run killed a moment ago"))
    await rig.create()
    assert rig.kind_calls() == ["create", "delete", "create"]
    assert await rig.cluster.owned()


async def test_a_node_that_never_gets_ready_is_told_with_its_condition(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind_module, "_READY_SECONDS", 0.5)
    rig.api.answers["/api/v1/nodes"] = (200, node("False", "cni plugin not initialized"))
    with pytest.raises(NotReady) as caught:
        await rig.create()
    assert caught.value.seen == "KubeletNotReady: cni plugin not initialized"
    assert not rig.engine.has(NODE)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ((200, b'{"items": []}'), "no node has registered"),
        ((200, b'{"items": [{"status": {}}]}'), "the node has registered and not told its state"),
        ((403, b"forbidden"), "HTTP 403: forbidden"),
    ],
)
async def test_while_a_node_comes_up_the_cause_is_known(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes], cause: str
) -> None:
    monkeypatch.setattr(kind_module, "_READY_SECONDS", 0.5)
    rig.api.answers["/api/v1/nodes"] = answer
    with pytest.raises(NotReady) as caught:
        await rig.create()
    assert caught.value.seen == cause


async def test_a_cluster_that_does_not_answer_or_was_stopped_does_not_run(rig: Rig) -> None:
    await rig.create()
    rig.api.answers["/readyz"] = (500, b"etcd failed")
    assert not await rig.cluster.runs(IMAGE)
    rig.api.answers["/readyz"] = (200, b"ok")
    assert await rig.cluster.runs(IMAGE)
    inspected = json.loads((rig.engine.folder / NODE).read_text())
    inspected["State"]["Running"] = False
    rig.engine.put(NODE, inspected)
    assert not await rig.cluster.runs(IMAGE)


async def test_deleting_what_is_not_there_is_no_error_and_removes_what_lies_about(rig: Rig) -> None:
    rig.mark().write_text("{}")
    rig.cluster.kubeconfig.write_text("old")
    assert not await rig.cluster.delete()
    assert not rig.mark().exists()
    assert not rig.cluster.kubeconfig.exists()
    assert rig.kind_calls() == []


async def test_a_cluster_on_another_host_is_called_by_that_hosts_name(rig: Rig) -> None:
    rig.cluster = KindCluster(
        rig.engine, rig.cluster._kind, "mine", rig.folder / "state", rig.folder / "kind.log", reach="localhost"
    )
    await rig.create()
    address = rig.api.url.replace("127.0.0.1", "localhost")
    assert f"server: {address}" in rig.cluster.kubeconfig.read_text()
    assert await rig.cluster.runs(IMAGE)


async def test_a_node_that_was_started_again_is_not_the_one_that_was_made(rig: Rig) -> None:
    assert await rig.cluster.interrupted() == "", "there is none"
    await rig.create()
    assert await rig.cluster.interrupted() == ""
    rig.state(StartedAt="at one")
    assert await rig.cluster.interrupted() == "its node was stopped, and started again: at one"
    assert not await rig.cluster.runs(IMAGE), "although its API server answers"
    rig.state(Running=False, FinishedAt="at two")
    assert await rig.cluster.interrupted() == "its node is stopped since at two"


async def test_a_mark_of_before_tells_nothing_of_a_start(rig: Rig) -> None:
    await rig.create()
    mark = json.loads(rig.mark().read_text())
    assert mark.pop("started") == "at noon"
    rig.mark().write_text(json.dumps(mark))
    assert await rig.cluster.runs(IMAGE)


async def test_a_node_that_was_stopped_is_started_again_and_one_that_runs_or_is_not_there_is_left(rig: Rig) -> None:
    assert not await rig.cluster.wake()
    await rig.create()
    assert not await rig.cluster.wake()
    rig.state(Running=False, FinishedAt="at two")
    started = rig.engine.docker

    async def docker(*words: str, **more: Any) -> Completed:
        if words[0] == "start":
            rig.state(Running=True, StartedAt="at three")
        return await started(*words, **more)

    rig.engine.docker = docker  # type: ignore[method-assign, assignment]
    assert await rig.cluster.wake()
    assert await rig.cluster.runs(IMAGE), "it counts as the one that was made"
    assert rig.engine.called("start") == [("start", NODE)]
    refused = rig.engine.called("exec", NODE, "iptables")
    assert len(refused) == 4, "its tables went with its network namespace"
    rig.state(StartedAt="at four")
    assert await rig.cluster.wake(), "the engine started it again by itself"
    assert await rig.cluster.runs(IMAGE)
    assert rig.engine.called("start") == [("start", NODE)]
    rig.engine.put(NODE, container_json(IMAGE, number="theirs") | {"State": {"Running": False}})
    with pytest.raises(ClusterError, match="did not make"):
        await rig.cluster.wake()

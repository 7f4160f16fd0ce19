"""RegionCluster: what it asks of the API server and of psql, and what it makes of the answers."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.core.support import program

from sluice.adapters.kubernetes.region import RegionCluster, last_known, ledger_name
from sluice.errors import ClusterError, FailoverError, NotReady
from sluice.promotion.ledger import Entry, State, append
from sluice.promotion.ledger_file import keep_copy
from sluice.regions.model import Database, Marker

pytestmark = pytest.mark.anyio
READY = {"type": "Ready", "status": "True"}


class Api:
    """An API server: ConfigMaps, scales and volumes as they were written; pods go when their workload is at 0."""

    def __init__(self) -> None:
        self.config_maps: dict[str, dict[str, str]] = {}
        self.scaled: dict[str, int] = {}
        self.volumes = {"data-kafka-0"}
        self.missing: set[str] = set()
        self.stuck: set[str] = set()
        self.node: dict[str, Any] = READY
        self.done = True
        self.asked: list[str] = []
        self.down = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, name = request.url.path, request.url.path.rpartition("/")[2]
        self.asked.append(f"{request.method} {path}")
        if self.down:
            raise httpx.ConnectError("connection refused")
        if path == "/readyz":
            return httpx.Response(200, text="ok")
        if "/configmaps/" in path:
            if request.method == "PATCH":
                self.config_maps[name] = json.loads(request.content)["data"]
            found = self.config_maps.get(name)
            return httpx.Response(200, json={"data": found}) if found else httpx.Response(404, json={})
        if path.endswith("/scale"):
            workload = path.split("/")[-2]
            if workload in self.missing:
                return httpx.Response(404, json={"message": "not found"})
            self.scaled[workload] = json.loads(request.content)["spec"]["replicas"]
            return httpx.Response(200, json={})
        if "/persistentvolumeclaims/" in path:
            there = name in self.volumes
            if request.method == "DELETE":
                self.volumes.discard(name)
            return httpx.Response(200 if there else 404, json={})
        return httpx.Response(200, json={"items": self._items(name, request.url.params.get("labelSelector", ""))})

    def _items(self, kind: str, selector: str) -> list[dict[str, Any]]:
        workload = selector.rpartition("=")[2]
        if kind == "nodes":
            return [{"metadata": {"name": "n"}, "status": {"conditions": [self.node] if self.node else []}}]
        if kind == "pods" and (workload in self.stuck or self.scaled.get(workload, 1)) and workload not in self.missing:
            return [{"metadata": {"name": f"{workload}-0", "namespace": "shop"}, "status": {"phase": "Running"}}]
        if kind == "deployments":
            replicas = {"updatedReplicas": 1, "availableReplicas": 1 if self.done else 0, "replicas": 1}
            template = {"spec": {"containers": [{"name": "app", "image": "a@sha256:1"}]}}
            return [
                {"metadata": {"name": one, "namespace": "shop"}, "spec": {"replicas": 1, "template": template},
                 "status": replicas}
                for one in ("backend", "kafka-exporter")
            ]  # fmt: skip
        if kind == "jobs":  # one that failed yesterday
            return [{"metadata": {"name": "mirror-lag-1", "namespace": "shop"}, "spec": {}, "status": {"failed": 1}}]
        return []


@pytest.fixture
def api() -> Api:
    return Api()


def region(api: Api, folder: Path, kubectl: str = "") -> RegionCluster:
    """West, whose kubectl is a program of the test's."""
    made = program(folder / "bin" / "kubectl", kubectl or "raise SystemExit(1)")
    client = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(api))
    return RegionCluster(
        "west", "mine", client, kubectl=made, kubeconfig=folder / "config", namespace="shop",
        services=["backend", "audit"], ledger_copy=folder / "west.jsonl", log=folder / "kubectl.log",
    )  # fmt: skip


def says(text: str) -> str:
    """A kubectl that notes its words, and says something."""
    return f"import sys; open(sys.argv[0] + '.words', 'a').write(repr(sys.argv[1:]) + chr(10)); print({text!r})"


def words(folder: Path) -> str:
    return (folder / "bin" / "kubectl.words").read_text()


async def test_what_it_is_is_written_down_and_read_back(api: Api, tmp_path: Path) -> None:
    west = region(api, tmp_path)
    assert await west.marker() is None
    marker = Marker("west", "standby", 3)
    await west.mark(marker)
    assert await west.marker() == marker
    assert api.config_maps["region"]["peer-host"] == "mine-east-control-plane"
    api.config_maps["region"]["role"] = "leader"
    assert await west.marker() is None


async def test_one_that_does_not_answer_says_why(api: Api, tmp_path: Path) -> None:
    west = region(api, tmp_path)
    assert await west.unreachable() == ""
    api.down = True
    assert "connection refused" in await west.unreachable()


async def test_what_is_not_ready_is_told_and_an_old_job_is_not(api: Api, tmp_path: Path) -> None:
    west = region(api, tmp_path)
    assert await west.trouble() == []
    api.node = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "no network"}
    api.done = False
    assert await west.trouble() == [
        "node n is not ready, KubeletNotReady: no network",
        "Deployment/backend: 0 of 1 pods are available",
        "Deployment/kafka-exporter: 0 of 1 pods are available",
    ]
    api.node = {}
    assert (await west.trouble())[0] == "node n is not ready, it has not told its state"


async def test_images_are_those_of_the_services(api: Api, tmp_path: Path) -> None:
    assert await region(api, tmp_path).images() == {"backend/app": ("a@sha256:1",)}


async def test_its_database_is_asked_in_its_pod_by_its_socket(api: Api, tmp_path: Path) -> None:
    told = {"standby": True, "timeline": 2, "at": 90, "received": None, "streaming": True, "last_commit": None}
    assert await region(api, tmp_path, says(json.dumps(told))).database() == Database(True, 2, 90, 0, True, 0.0)
    said = words(tmp_path)
    assert "'--namespace', 'shop', 'exec', 'postgresql-0', '--container', 'postgresql', '--', 'psql'" in said
    assert "'--host=/tmp'" in said


@pytest.mark.parametrize("kubectl", ["", says("not json"), says("{}")])
async def test_a_database_that_does_not_answer_is_said_to(api: Api, tmp_path: Path, kubectl: str) -> None:
    with pytest.raises(FailoverError, match="west's database does not answer"):
        await region(api, tmp_path, kubectl).database()


PROMOTES = """import sys, pathlib
words, state = " ".join(sys.argv), pathlib.Path(sys.argv[0] + ".state")
if "is_in_recovery" in words:
    print('{"standby": %s, "timeline": 1, "at": 1, "received": 1, "streaming": false, "last_commit": 1}'
          % ("false" if state.exists() else "true"))
elif "pg_promote" in words:
    state.write_text("promoted"); print("t")
elif "CHECKPOINT" in words:
    assert state.exists(); state.write_text(state.read_text() + ", checkpoint")
"""


async def test_it_is_promoted_once_and_its_timeline_written_each_time(api: Api, tmp_path: Path) -> None:
    west = region(api, tmp_path, PROMOTES)
    await west.promote(deadline_seconds=5)
    state = tmp_path / "bin" / "kubectl.state"
    assert state.read_text() == "promoted, checkpoint"
    await west.promote(deadline_seconds=5)
    assert state.read_text() == "promoted, checkpoint, checkpoint"


async def test_one_that_is_not_promoted_in_time_is_said_to(api: Api, tmp_path: Path) -> None:
    with pytest.raises(FailoverError, match="not promoted after 5 s"):
        await region(api, tmp_path, PROMOTES.replace('print("t")', 'print("f")')).promote(deadline_seconds=5)


async def test_the_password_of_who_follows_is_in_no_argument(api: Api, tmp_path: Path) -> None:
    await region(api, tmp_path, says("")).allow_following()
    assert "REPLICATION_PASSWORD_FILE=/etc/secrets/replication/password" in words(tmp_path)
    assert "--file=/etc/postgresql/replication.sql" in words(tmp_path)


async def test_services_are_gone_when_no_pod_of_theirs_is_left(api: Api, tmp_path: Path) -> None:
    api.missing = {"audit"}  # not installed yet: none of it is left
    await region(api, tmp_path).services(0, deadline_seconds=5)
    assert api.scaled == {"backend": 0}
    api.stuck = {"backend"}
    with pytest.raises(NotReady) as caught:
        await region(api, tmp_path).services(0, deadline_seconds=0.1)
    assert caught.value.seen == "backend-0 is Running"


async def test_services_that_are_to_run_have_to_be_there(api: Api, tmp_path: Path) -> None:
    api.missing = {"audit"}
    with pytest.raises(ClusterError, match="scale audit"):
        await region(api, tmp_path).services(1, deadline_seconds=5)


async def test_a_mirror_that_is_not_there_is_down(api: Api, tmp_path: Path) -> None:
    api.missing = {"mirror"}
    await region(api, tmp_path).stop_mirror(deadline_seconds=5)
    api.missing = set()
    await region(api, tmp_path).stop_mirror(deadline_seconds=5)
    assert api.scaled == {"mirror": 0}


async def test_a_broker_is_emptied_after_its_pod_has_gone(api: Api, tmp_path: Path) -> None:
    api.stuck = {"kafka"}
    with pytest.raises(NotReady):
        await region(api, tmp_path).empty("kafka", deadline_seconds=0.1)
    assert api.volumes == {"data-kafka-0"}
    api.stuck = set()
    await region(api, tmp_path).empty("kafka", deadline_seconds=5)
    assert api.volumes == set()
    await region(api, tmp_path).empty("kafka", deadline_seconds=5)  # of a run that was killed there


def test_this_hosts_copy_of_a_ledger_tells_the_last_release(tmp_path: Path) -> None:
    copy = tmp_path / "west.jsonl"
    entries: tuple[Entry, ...] = ()
    states: tuple[State, ...] = ("planned", "copied", "deployed", "verified")
    assert last_known(copy) == ""
    for state in states:
        entry = Entry(0, 1.0, ledger_name("west"), "p", "sha256:a", "r", state, "who")
        entries = append(entries, entry)
    keep_copy(copy, entries)
    assert last_known(copy) == "sha256:a"

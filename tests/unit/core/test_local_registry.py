"""LocalRegistry with an engine of files and a server in the registry's place."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.core.support import OURS, FakeEngine, Served, container_json, failed, program, serving

from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.process import Completed
from sluice.domain import Component
from sluice.errors import ClusterError, HostError
from sluice.supply import oci

pytestmark = pytest.mark.anyio
NAME = "mine-registry"


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    return FakeEngine(tmp_path / "containers")


@pytest.fixture
def served() -> Iterator[Served]:
    with serving({"/v2/": (200, b"{}")}) as served:
        yield served


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_ours_that_runs_is_kept(engine: FakeEngine, served: Served) -> None:
    engine.put(NAME, container_json("registry", labels=OURS, port=served.port))
    await LocalRegistry(engine, "mine", served.port).start("image")
    assert engine.called("run") == []
    assert engine.called("rm") == []


async def test_a_proxy_of_the_environment_is_not_asked_for_what_is_on_this_machine(
    engine: FakeEngine, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    engine.put(NAME, container_json("registry", labels=OURS, port=served.port))
    registry = LocalRegistry(engine, "mine", served.port)
    await registry.start("image")
    served.answers["/v2/a/manifests/sha256:1"] = (200, b"")
    assert await registry.holds(f"{registry.host}/a", "sha256:1")


async def test_a_container_of_that_name_that_is_not_ours_is_refused(engine: FakeEngine) -> None:
    engine.put(NAME, container_json("registry", labels={"owner": "else"}))
    registry = LocalRegistry(engine, "mine", free_port())
    for ask in (lambda: registry.start("image"), registry.stop, registry.remove):
        with pytest.raises(ClusterError, match=f"{NAME} exists that Sluice did not make") as caught:
            await ask()
        assert "owner" in caught.value.seen
    assert engine.has(NAME)
    assert engine.called("volume") == []


async def test_a_port_that_is_taken_is_told_before_anything_is_started(engine: FakeEngine) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(HostError, match=f"port {port} is taken") as caught:
            await LocalRegistry(engine, "mine", port).start("image")
    assert "SLUICE_CLUSTER_REGISTRY_PORT" in caught.value.next_command
    assert engine.called("run") == []


async def test_ours_that_stopped_or_has_another_port_is_replaced(engine: FakeEngine, served: Served) -> None:
    port = free_port()
    for left in (
        container_json("registry", running=False, labels=OURS, port=port),
        container_json("registry", labels=OURS, port=served.port),
    ):
        engine.calls.clear()
        engine.put(NAME, left)
        engine.answers["run"] = failed("stop here: nothing will ever listen")
        with pytest.raises(Exception, match="docker run failed"):
            await LocalRegistry(engine, "mine", port).start("the-image")
        [removed] = engine.called("rm")
        assert removed == ("rm", "--force", NAME)
        [ran] = engine.called("run")
        assert f"127.0.0.1:{port}:5000" in ran
        assert "dev.sluice.owner=sluice" in ran
        assert ran[-1] == "the-image"


async def test_another_program_on_the_new_port_is_not_taken_for_ours(engine: FakeEngine, served: Served) -> None:
    """Ours runs on an old port, and what answers on the new one is a registry of somebody else."""
    engine.put(NAME, container_json("registry", labels=OURS, port=free_port()))
    with pytest.raises(HostError, match="is taken"):
        await LocalRegistry(engine, "mine", served.port).start("image")


async def test_a_node_is_told_where_the_registry_is(engine: FakeEngine) -> None:
    await LocalRegistry(engine, "mine", 5001).join("mine-control-plane")
    [call] = engine.called("exec", "--interactive", "mine-control-plane")
    assert "/etc/containerd/certs.d/localhost:5001/hosts.toml" in call[-1]
    told = engine.inputs[engine.calls.index(call)]
    assert told is not None
    assert b'[host."http://mine-registry:5000"]' in told


async def test_joining_twice_is_no_error_and_another_failure_is(engine: FakeEngine) -> None:
    registry = LocalRegistry(engine, "mine", 5001)
    engine.answers["network connect"] = failed("endpoint with name mine-registry already exists in network kind")
    await registry.join("node")
    engine.answers["network connect"] = failed("network kind not found")
    with pytest.raises(ClusterError, match="cannot join") as caught:
        await registry.join("node")
    assert caught.value.seen == "network kind not found"


async def test_holding_is_the_registrys_own_word(engine: FakeEngine, served: Served) -> None:
    registry = LocalRegistry(engine, "mine", served.port)
    served.answers["/v2/group/name/manifests/sha256:1"] = (200, b"")
    assert await registry.holds(f"{registry.host}/group/name", "sha256:1")
    assert not await registry.holds(f"{registry.host}/group/name", "sha256:2")
    assert served.asked[-1] == ("HEAD", "/v2/group/name/manifests/sha256:2")


async def test_an_image_comes_apart_into_how_it_is_run_and_its_layers(
    engine: FakeEngine, served: Served, tmp_path: Path
) -> None:
    registry = LocalRegistry(engine, "mine", served.port)
    manifest = {"config": {"digest": "sha256:c"}, "layers": [{"digest": "sha256:1"}, {"digest": "sha256:2"}]}
    served.answers |= {
        "/v2/backend/manifests/latest": (200, json.dumps(manifest).encode()),
        "/v2/backend/blobs/sha256:c": (200, b'{"os": "linux"}'),
        "/v2/backend/blobs/sha256:1": (200, b"\x1f\x8b layer"),
    }
    assert await registry.pushed(f"{registry.host}/backend") == ({"os": "linux"}, ["sha256:1", "sha256:2"])
    await registry.fetch(f"{registry.host}/backend", "sha256:1", tmp_path / "layer")
    assert (tmp_path / "layer").read_bytes() == b"\x1f\x8b layer"


@pytest.mark.parametrize("answer", [(404, b"{}"), (200, b"<html>"), (200, b"{}")])
async def test_what_is_no_image_is_an_error_that_says_so(
    engine: FakeEngine, served: Served, tmp_path: Path, answer: tuple[int, bytes]
) -> None:
    registry = LocalRegistry(engine, "mine", served.port)
    served.answers["/v2/backend/manifests/latest"] = answer
    with pytest.raises(ClusterError, match="does not answer as a registry does"):
        await registry.pushed(f"{registry.host}/backend")
    with pytest.raises(ClusterError, match="404"):
        await registry.fetch(f"{registry.host}/backend", "sha256:1", tmp_path / "layer")


async def test_a_registry_that_died_is_an_error_that_says_so(engine: FakeEngine) -> None:
    registry = LocalRegistry(engine, "mine", free_port())
    with pytest.raises(ClusterError, match="does not answer") as caught:
        await registry.holds(f"{registry.host}/a", "sha256:1")
    assert caught.value.next_command == f"docker logs {NAME}"


async def test_only_what_the_registry_lacks_is_pushed(engine: FakeEngine, served: Served, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("x")
    layer = oci.write_layer(tmp_path / "layer.tar", {"/tool": tool})
    digest = oci.write_layout(tmp_path / "oci", oci.configuration([layer], ["/tool"]), [layer])
    source = f"import sys, json; open({str(tmp_path / 'pushed')!r}, 'a').write(json.dumps(sys.argv[1:]))"
    crane = program(tmp_path / "crane", source)
    component = Component("loki", "3.7.8", "source", digest, str(tmp_path), 1, 1.0)
    registry = LocalRegistry(engine, "mine", served.port)
    image = await registry.push(component, crane)
    assert image.reference == f"localhost:{served.port}/loki@{digest}"
    assert image.size_bytes == oci.layout_size(tmp_path / "oci")
    pushed = json.loads((tmp_path / "pushed").read_text())
    assert pushed == ["push", str(tmp_path / "oci"), f"localhost:{served.port}/loki:3.7.8"]
    served.answers[f"/v2/loki/manifests/{digest}"] = (200, b"")
    assert await registry.push(component, tmp_path / "no-crane-is-needed") == image


async def test_stopping_keeps_what_it_holds_and_removing_does_not(engine: FakeEngine) -> None:
    registry = LocalRegistry(engine, "mine", 5001)
    assert not await registry.stop()
    engine.put(NAME, container_json("registry", labels=OURS))
    assert await registry.stop()
    assert engine.called("volume", "rm") == []
    engine.answers["volume inspect"] = Completed(0, json.dumps(OURS, separators=(",", ":")), "")
    assert await registry.remove()
    assert engine.called("volume", "rm") == [("volume", "rm", NAME)]


async def test_a_volume_of_that_name_that_is_not_ours_is_left(engine: FakeEngine) -> None:
    engine.answers["volume inspect"] = Completed(0, "null", "")
    assert not await LocalRegistry(engine, "mine", 5001).remove()
    assert engine.called("volume", "rm") == []


async def test_with_nothing_there_nothing_is_removed(engine: FakeEngine) -> None:
    engine.answers["volume inspect"] = failed("no such volume")
    assert not await LocalRegistry(engine, "mine", 5001).remove()


async def test_a_registry_on_another_host_is_published_there_and_called_by_its_name(
    engine: FakeEngine, served: Served, tmp_path: Path
) -> None:
    pushed = tmp_path / "pushed"
    crane = program(tmp_path / "crane", f"import sys; open({str(pushed)!r}, 'w').write(' '.join(sys.argv[1:]))")
    layer = oci.write_layer(tmp_path / "layer.tar", {"/bin/crane": crane})
    digest = oci.write_layout(tmp_path / "layout", oci.configuration([layer], []), [layer])
    registry = LocalRegistry(engine, "mine", served.port, publish="0.0.0.0", reach="127.0.0.1")
    await registry.start("image")  # the port is taken here, which says nothing about that host
    (run,) = engine.called("run")
    assert f"0.0.0.0:{served.port}:5000" in run
    image = await registry.push_layout("backend", tmp_path / "layout", f"{registry.host}/backend", crane)
    assert image.reference == f"localhost:{served.port}/backend@{digest}", "nodes know it as localhost"
    assert pushed.read_text().endswith(f"127.0.0.1:{served.port}/backend:latest")
    assert "--insecure" in pushed.read_text()

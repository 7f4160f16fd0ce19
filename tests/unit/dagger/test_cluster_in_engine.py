"""The function cluster: a service with one port, and the credentials of the very cluster that it raises."""

from typing import Any

import pytest
import yaml
from tests.unit.dagger.session import FakeSession, calls, chain, session, variables
from tests.unit.dagger.test_module import module, source

from sluice.entrypoints.engine_cluster import kubeconfig_for

__all__ = ["session"]

pytestmark = pytest.mark.anyio
KUBECONFIG = {
    "clusters": [
        {"name": "kind-sluice", "cluster": {"server": "https://0.0.0.0:41234", "certificate-authority-data": "x"}}
    ],
    "users": [{"name": "kind-sluice", "user": {"client-key-data": "y"}}],
}


def parts(service: Any) -> tuple[list[Any], dict[str, Any]]:
    *container, start = chain(service)
    assert start.name == "asService"
    return container, start.args


async def test_the_services_one_port_is_the_api_servers(session: FakeSession) -> None:
    container, start = parts(module().cluster(source(session.client)).service())
    assert [call.args["port"] for call in container if call.name == "withExposedPort"] == [6443]
    script = start["args"][-1]
    assert script.strip().endswith("exec python -m sluice.entrypoints.engine_cluster serve 6443")
    assert script.index("docker version") < script.index("serve"), (
        "the port of the Docker engine opens before it answers"
    )


async def test_the_node_runs_in_a_docker_engine_that_is_a_service_of_its_own(session: FakeSession) -> None:
    container, _ = parts(module().cluster(source(session.client)).service())
    (binding,) = [call.args for call in container if call.name == "withServiceBinding"]
    ports = [call.args["port"] for call in chain(binding["service"]) if call.name == "withExposedPort"]
    assert ports == [2375], "which `up` does not publish: whoever reaches it is root there"


async def test_the_credentials_are_of_the_cluster_of_the_service(session: FakeSession) -> None:
    cluster = module().cluster(source(session.client), supply="source")
    file = await cluster.kubeconfig(host="localhost")
    docker, kind = calls(file, "withServiceBinding")
    assert docker["alias"] == "docker"
    assert kind["alias"] == "cluster"
    assert chain(kind["service"]) == chain(cluster.service()), "another container would be another cluster"
    assert variables(file)["SLUICE_CLUSTER_API_NAMES"] == "docker,cluster"
    script = calls(file, "withExec")[-1]["args"][-1]
    assert script.strip().endswith("engine_cluster kubeconfig /kubeconfig https://localhost:6443")
    assert chain(file)[-1].args == {"path": "/kubeconfig"}


async def test_supply_is_passed_on(session: FakeSession) -> None:
    container, _ = parts(module().cluster(source(session.client), supply="source").service())
    given = {call.args["name"]: call.args["value"] for call in container if call.name == "withEnvVariable"}
    assert given["SLUICE_SUPPLY_MODE"] == "source"


async def test_credentials_are_asked_for_anew_each_time(session: FakeSession) -> None:
    cluster = module().cluster(source(session.client))
    first, second = [variables(await cluster.kubeconfig())["SLUICE_CALLED_AT"] for _ in range(2)]
    assert first != second
    container, _ = parts(cluster.service())
    assert not [call for call in container if call.args.get("name") == "SLUICE_CALLED_AT"], "that would be two clusters"


def test_a_kubeconfig_names_the_way_there_and_what_the_certificate_says() -> None:
    made = yaml.safe_load(kubeconfig_for(yaml.safe_dump(KUBECONFIG), "https://localhost:6443", "cluster"))
    cluster = made["clusters"][0]["cluster"]
    assert cluster == {
        "server": "https://localhost:6443",
        "tls-server-name": "cluster",
        "certificate-authority-data": "x",
    }
    assert made["users"] == KUBECONFIG["users"]

"""The containers: what the toolbox is made of, and the Docker engine beside it."""

from pathlib import Path
from typing import Any

import dagger
from tests.unit.dagger.session import FakeSession, calls, chain, everything, session, variables

from sluice.adapters.dagger_engine import cluster_host, toolbox

__all__ = ["session"]

ROOT = Path(__file__).parents[3]


def tree(client: dagger.Client) -> dagger.Directory:
    return client.directory().with_new_file("marker", "the source")


def service_container(service: dagger.Service) -> list[Any]:
    *container, start = chain(service)
    assert start.name == "asService"
    return [container, start.args]


def test_the_environment_is_made_by_nox_before_the_source_is_there(session: FakeSession) -> None:
    links = chain(toolbox.toolbox(session.client, tree(session.client)))
    made = next(i for i, call in enumerate(links) if call.name == "withExec" and "./nox" in str(call.args))
    whole = next(i for i, c in enumerate(links) if c.name == "withDirectory" and c.args["path"] == toolbox.ROOT)
    assert made < whole, "an edit of the source would make the environment anew"


def test_sluice_is_found_and_knows_where_it_is(session: FakeSession) -> None:
    given = variables(toolbox.toolbox(session.client, tree(session.client)))
    assert given["PYTHONPATH"] == "/src/ci/src"
    assert given["SLUICE_RUN_RUNTIME"] == "dagger"
    assert given["SLUICE_TOOLBOX"] == "1", "without it a run here would start another engine"


def test_only_what_is_obtained_lies_in_shared_caches(session: FakeSession) -> None:
    box = toolbox.toolbox(session.client, tree(session.client))
    cache = variables(box)["SLUICE_RUN_CACHE"]
    assert {args["path"] for args in calls(box, "withMountedCache")} == {f"{cache}/supply", f"{cache}/go"}


def test_offline_pip_and_image_come_from_the_folder_and_leave_no_trace(session: FakeSession) -> None:
    offline = session.client.directory().with_new_file("marker", "offline")
    box = toolbox.toolbox(session.client, tree(session.client), offline)
    names = [call.name for call in chain(box)]
    assert names[:2] == ["container", "import"]
    assert variables(box)["PIP_NO_INDEX"] == "1"
    assert {args["name"] for args in calls(box, "withoutEnvVariable")} == {"PIP_NO_INDEX", "PIP_FIND_LINKS"}
    assert calls(box, "withoutMount") == [{"path": "/wheels"}]
    seeded = {Path(args["path"]).name: chain(args["source"])[-1].args for args in calls(box, "withMountedCache")}
    assert seeded == {"supply": {"path": "supply"}, "go": {"path": "modules/go"}}


def test_the_machine_is_the_same_recipe_that_the_supply_builds(session: FakeSession) -> None:
    made = toolbox.machine(session.client, tree(session.client))
    folder = next(call.args["path"] for call in chain(made) if call.name == "directory" and call.args)
    assert (ROOT / folder / "Dockerfile").is_file()


def test_the_docker_engine_is_a_privileged_service_with_its_state_in_a_volume(session: FakeSession) -> None:
    container, start = service_container(cluster_host.docker_engine(session.client, tree(session.client)))
    assert start["insecureRootCapabilities"] is True
    assert start["noInit"] is True
    volume = next(call.args for call in container if call.name == "withMountedCache")
    assert volume["path"] == "/var/lib/docker"
    assert volume["sharing"] == "PRIVATE", "two daemons on one state destroy it"
    assert [call.args["path"] for call in container if call.name == "withMountedTemp"] == ["/run"]
    assert [call.args["port"] for call in container if call.name == "withExposedPort"] == [2375]


def test_the_docker_engine_shares_its_root_first_and_computes_the_bounding_set(session: FakeSession) -> None:
    _, start = service_container(cluster_host.docker_engine(session.client, tree(session.client)))
    script = start["args"][-1]
    assert script.strip().startswith("mount --make-rshared /")
    assert "CapBnd" in script
    assert script.index("-ne") < script.index("--default-runtime capped"), "capped only where the set is short"


def test_an_edit_of_a_service_starts_no_other_docker_engine(session: FakeSession) -> None:
    engine = cluster_host.docker_engine(session.client, tree(session.client))
    taken = {
        call.args["path"]
        for call in everything(engine)
        if call.name == "directory" and str(call.args.get("path", "")).startswith("ci/")
    }
    assert taken == {"ci/src/sluice/supply/gosrc/capped-runc", "ci/src/sluice/supply/images/toolbox"}
    assert all((ROOT / path).is_dir() for path in taken)


def test_a_bound_toolbox_says_the_services_name_everywhere(session: FakeSession) -> None:
    engine = cluster_host.docker_engine(session.client, tree(session.client))
    box = cluster_host.bound(toolbox.toolbox(session.client, tree(session.client)), engine)
    (binding,) = calls(box, "withServiceBinding")
    given = variables(box)
    assert given["DOCKER_HOST"] == f"tcp://{binding['alias']}:2375"
    assert given["SLUICE_CLUSTER_API_NAMES"] == binding["alias"], "the API server's certificate must hold it"
    assert given["SLUICE_CLUSTER_API_ADDRESS"] == "0.0.0.0"

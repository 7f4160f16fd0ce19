"""dagger_module.py: what functions there are, what they take, and what they call."""

import importlib.metadata
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import dagger
import pytest
from tests.unit.dagger.session import FakeSession, calls, chain, everything, session, variables

from sluice.adapters.dagger_engine.toolbox import LEFT_OUT
from sluice.entrypoints.dagger_module import Sluice

__all__ = ["session"]

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
CHECKS = {"lint", "types", "unit", "contract", "charts", "rules"}
ON_TARGETS = {"deploy", "promote", "rollback", "status", "history"}
FUNCTIONS = {"build", "test", "cluster", "e2e", "gate", "release", "promotions", *CHECKS, *ON_TARGETS}
# What asks the hour's state of something is never answered from the engine's cache.
UNCACHED = {"e2e", "release", "promotions", *ON_TARGETS}
# Only these say which revision they speak of: for them a commit that changes no file is another source.
WITH_HISTORY = {"e2e", "release", *ON_TARGETS}


def module(offline: dagger.Directory | None = None) -> Any:
    """The main object; the types of Dagger's decorators hide what they decorate."""
    main: Any = Sluice
    return main(offline=offline)


def functions(of: str = "Sluice") -> dict[str, Any]:
    main: Any = Sluice
    return dict(main.__dagger_module__.get_object(of).functions)


def constructor() -> Any:
    main: Any = Sluice
    box = main.__dagger_module__
    return box.get_object("Sluice").get_constructor(box._converter)


def source(client: dagger.Client) -> dagger.Directory:
    return client.directory().with_new_file("marker", "the source")


def test_the_module_has_these_functions_and_each_teaches() -> None:
    found = functions()
    assert {name for name in found if name} == FUNCTIONS
    assert set(functions("Cluster")) == {"service", "kubeconfig"}
    for name, function in [*found.items(), *functions("Cluster").items(), ("", constructor())]:
        assert function.doc or not name
        assert not name or len(function.doc) > 40, name
        for parameter in function.parameters.values():
            assert parameter.doc, f"{name} {parameter.name}"
            assert "`" not in parameter.doc, "Dagger's command line takes what backquotes hold for the value's name"


def test_no_argument_is_called_cloud_which_is_a_flag_of_dagger_itself() -> None:
    for name, function in [*functions().items(), *functions("Cluster").items(), ("", constructor())]:
        names = {parameter.name for parameter in function.parameters.values()}
        assert "cloud" not in names, f"{name}: a function with that argument cannot be called"


def test_the_source_is_the_tree_around_the_module_without_what_no_command_reads() -> None:
    for name in FUNCTIONS:
        parameter = functions()[name].parameters["source"]
        assert str(parameter.default_path) == "/"
        assert set(LEFT_OUT) <= set(parameter.ignore)
        assert (".git" in parameter.ignore) is (name not in WITH_HISTORY), name


def test_the_offline_folder_is_an_argument_and_no_function() -> None:
    main: Any = Sluice
    assert not main.__dagger_module__.get_object("Sluice").fields
    assert set(constructor().parameters) == {"offline"}


def test_what_tells_of_the_hour_is_never_answered_from_the_cache() -> None:
    found = {**functions(), "kubeconfig": functions("Cluster")["kubeconfig"]}
    assert {name for name, function in found.items() if function.cache_policy == "never"} == {*UNCACHED, "kubeconfig"}


def test_secrets_are_secrets() -> None:
    for name, function in functions().items():
        for parameter in function.parameters.values():
            if parameter.name in ("kubeconfig", "key", "password", "registries"):
                assert "Secret" in str(parameter.resolved_type), f"{name} {parameter.name}"


def test_dagger_check_runs_what_the_session_tests_runs() -> None:
    assert {name for name, function in functions().items() if function.check} == CHECKS
    noxfile = (ROOT / "noxfile.py").read_text()
    (parts,) = re.findall(r"for part in \(([a-z, ]+)\):", noxfile)
    assert set(parts.split(", ")) == CHECKS
    for name in CHECKS:  # a check is called without arguments
        assert all(one.is_optional or one.default_path for one in functions()[name].parameters.values()), name


@pytest.mark.parametrize("name", sorted(CHECKS))
async def test_a_check_runs_its_session_and_returns_what_that_printed(session: FakeSession, name: str) -> None:
    session.answers["stdout"] = "fine"
    assert await getattr(module(), name)(source(session.client)) == "fine"
    run = [call for call in session.asked[-1] if call.name == "withExec"][-1]
    assert run.args["args"] == ["python", "-m", "nox", "-s", name]
    assert "expect" not in run.args, "a failing check fails the call"


async def test_build_runs_the_images_step_in_a_nested_session(session: FakeSession) -> None:
    found = await module().build(source(session.client))
    (last,) = [args for args in calls(found, "withExec") if "engine_build" in str(args)]
    assert last["experimentalPrivilegedNesting"] is True
    assert chain(found)[-1].args == {"path": "/images"}
    assert session.asked[-1][-1].name == "sync", "a build that is not waited for has not passed"


async def test_build_starts_a_docker_engine_only_where_no_registry_is_reached(session: FakeSession) -> None:
    here = await module().build(source(session.client))
    assert not calls(here, "withServiceBinding")
    offline = await module(session.client.directory()).build(source(session.client))
    assert len(calls(offline, "withServiceBinding")) == 1


async def test_test_runs_the_session_that_nox_runs_and_returns_what_it_printed(session: FakeSession) -> None:
    session.answers["stdout"] = "48 passed"
    assert await module().test(source(session.client)) == "48 passed"
    run = [call for call in session.asked[-1] if call.name == "withExec"][-1]
    assert run.args["args"] == ["python", "-m", "nox", "-s", "tests"]
    assert "expect" not in run.args, "a failing test fails the call"


async def test_e2e_passes_suites_and_supply_on_and_returns_the_evidence(session: FakeSession) -> None:
    found = await module().e2e(source(session.client), suites=["api", "logs"], supply="source")
    run = calls(found, "withExec")[-1]
    assert run["args"][3:] == ["e2e", "--supply", "source", "--suite", "api", "--suite", "logs"]
    assert run["insecureRootCapabilities"] is True
    assert chain(found)[-1].args == {"path": "/evidence"}


async def test_e2e_returns_the_folder_of_a_failed_run_with_its_exit_status(session: FakeSession) -> None:
    found = await module().e2e(source(session.client))
    script = calls(found, "withExec")[-1]["args"][2]
    assert "|| status=$?" in script
    assert "echo $status > /evidence/exit-status" in script
    assert script.index("cp -RL") > script.index("status=$?"), "the evidence is copied after a failure too"


async def test_two_runs_are_two_calls_to_the_engine(session: FakeSession) -> None:
    first, second = [await module().e2e(source(session.client)) for _ in range(2)]
    assert variables(first)["SLUICE_CALLED_AT"] != variables(second)["SLUICE_CALLED_AT"]


async def test_gate_judges_the_given_folder_and_fails_with_the_command(session: FakeSession) -> None:
    session.answers["stdout"] = "PASS"
    evidence = session.client.directory().with_new_file("evidence.json", "{}")
    assert await module().gate(evidence, source(session.client)) == "PASS"
    given = [call for call in session.asked[-1] if call.name == "withDirectory"][-1]
    run = [call for call in session.asked[-1] if call.name == "withExec"][-1]
    assert run.args["args"] == ["python", "-m", "sluice", "gate", "--evidence", given.args["path"]]
    assert "expect" not in run.args


async def test_offline_nothing_is_pulled(session: FakeSession) -> None:
    for offline in (None, session.client.directory()):
        found = await module(offline).e2e(source(session.client))
        pulled = {call.args["address"] for call in everything(found) if call.name == "from"}
        built = [call for call in everything(found) if call.name == "dockerBuild"]
        assert bool(pulled) is bool(built) is (offline is None)


def test_client_command_line_and_engine_are_of_one_version() -> None:
    config = json.loads((ROOT / "dagger.json").read_text())
    (locked,) = re.findall(r"^dagger-io==(\S+)", (ROOT / "requirements" / "sluice.txt").read_text(), re.MULTILINE)
    assert config["engineVersion"] == f"v{locked}"
    assert importlib.metadata.version("dagger-io") == locked


def test_the_package_names_the_main_object() -> None:
    config = json.loads((ROOT / "dagger.json").read_text())
    assert (config["name"], config["source"], config["sdk"]) == ("sluice", "ci", {"source": "python"})
    project = tomllib.loads((ROOT / "ci" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["dagger.mod"] == {"main_object": "sluice.entrypoints.dagger_module:Sluice"}


def test_loading_the_module_needs_nothing_but_the_client() -> None:
    folder = ROOT / "ci" / "src" / "sluice"
    ours = {"sluice.adapters.dagger_engine": folder / "adapters" / "dagger_engine" / "__init__.py"}
    names = ("line", "toolbox", "cluster_host", "kind_cluster", "promotion", "presence")
    for name in names:
        ours[f"sluice.adapters.dagger_engine.{name}"] = folder / "adapters" / "dagger_engine" / f"{name}.py"
    for name in ("dagger_module", "dagger_cluster"):
        ours[f"sluice.entrypoints.{name}"] = folder / "entrypoints" / f"{name}.py"
    files, allowed = ours.values(), {"dagger", *ours}
    for file in files:
        imported = set(re.findall(r"^(?:from|import) (\S+)", file.read_text(), re.MULTILINE))
        imported = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}
        assert imported <= allowed, f"{file.name}: {imported - allowed} is not there where Dagger loads it"

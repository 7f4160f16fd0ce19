"""ci/dagger-sdk: the SDK for engines without a registry loads the very module that Dagger's own loads."""

import inspect
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from dagger.mod import _module, cli
from tests.unit.dagger.schema import schema

ROOT = Path(__file__).parents[3]
CI = ROOT / "ci"
WRITTEN_TO = "DAGGER_MODULE_FILE"
DANG = (CI / "dagger-sdk" / "main.dang").read_text()


def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "dagger.json").read_text())
    return found


def test_both_ways_load_one_module_in_one_version() -> None:
    usual, here, sdk = (config(folder) for folder in (ROOT, CI, CI / "dagger-sdk"))
    assert here["name"] == usual["name"]
    assert here["engineVersion"] == usual["engineVersion"] == sdk["engineVersion"]
    assert (CI / here["sdk"]["source"]).resolve() == CI / "dagger-sdk"
    left_out = {name.removeprefix("!ci/") for name in usual["include"]}
    assert {name.removeprefix("!") for name in here["include"]} == {*left_out, "dagger-sdk"}


def test_it_names_the_main_object_as_the_package_does() -> None:
    project = tomllib.loads((CI / "pyproject.toml").read_text())["project"]
    package, _, name = project["entry-points"]["dagger.mod"]["main_object"].partition(":")
    given = dict(re.findall(r'withEnvVariable\("(\w+)", "([^"]+)"\)', DANG))
    assert given["DAGGER_DEFAULT_PYTHON_PACKAGE"] == package
    assert given["DAGGER_MAIN_OBJECT"] == name
    assert given["PYTHONPATH"] == "/module/src"


def test_it_calls_only_what_the_engine_has() -> None:
    known = {field for name in ("Container", "Directory", "ModuleSource") for field in schema().type_map[name].fields}  # type: ignore[attr-defined]
    called = set(re.findall(r"\.([a-z]\w+)", re.sub(r'"[^"]*"', "", DANG)))
    assert "withEntrypoint" in called
    assert called <= known, called - known


def test_the_module_is_called_and_describes_itself_by_the_same_container() -> None:
    """Dagger's interface for SDKs; without `moduleTypes` a load asks the module each time, which takes five seconds."""
    bodies = dict(re.findall(r"(?m)^  pub (\w+)\([^)]*\): Container! \{\n(.+?)^  \}", DANG, re.DOTALL))
    assert set(bodies) == {"moduleRuntime", "moduleTypes"}
    assert all(body.strip().startswith("prepared(modSource)") for body in bodies.values())
    assert "sys.exit(app())" in bodies["moduleRuntime"]
    assert "sys.exit(app(register=True))" in bodies["moduleTypes"]
    assert f'withEnvVariable("{WRITTEN_TO}", outputFilePath)' in bodies["moduleTypes"]


def test_the_python_sdk_writes_its_types_where_it_is_told() -> None:
    assert "register" in inspect.signature(cli.app).parameters
    assert f'os.getenv("{WRITTEN_TO}"' in inspect.getsource(_module)


def test_it_starts_from_what_the_offline_folder_has() -> None:
    (patterns,) = re.findall(r"@ignorePatterns\(patterns: (\[[^]]+\])\)", DANG)
    assert json.loads(patterns) == ["*", "!base.tar", "!wheels"]
    assert "dagger-io==" in (ROOT / "requirements" / "sluice.txt").read_text(), "a wheel of it is in the folder"

"""ci/dagger-sdk: the SDK for engines without a registry loads the very module that Dagger's own loads."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from tests.unit.dagger.schema import schema

ROOT = Path(__file__).parents[3]
CI = ROOT / "ci"
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


def test_it_starts_from_what_the_offline_folder_has() -> None:
    (patterns,) = re.findall(r"@ignorePatterns\(patterns: (\[[^]]+\])\)", DANG)
    assert json.loads(patterns) == ["*", "!base.tar", "!wheels"]
    assert "dagger-io==" in (ROOT / "requirements" / "sluice.txt").read_text(), "a wheel of it is in the folder"

"""Modules of one family agree on the versions of what they share."""

from pathlib import Path

import pytest

from sluice.supply import families

GO_MOD = """module sluice/one

go 1.24.0

tool example.org/one

require example.org/alone v1.0.0

require (
	example.org/shared v{version} // indirect
	example.org/own/api v0.{version}
	example.org/replaced v9.9.{version}
)

replace example.org/replaced => example.org/replaced v1.0.0
"""


def gomod(folder: Path, apart: str, **versions: str) -> Path:
    for module, version in versions.items():
        (folder / module).mkdir()
        (folder / module / "go.mod").write_text(GO_MOD.replace("{version}", version))
    (folder / "families.toml").write_text(f'[pair]\nmodules = {list(versions)}\napart = "{apart}"\n')
    return folder


def test_ours_agree() -> None:
    assert families.disagreements() == []


def test_what_a_module_requires_is_read_without_what_it_replaces() -> None:
    assert families.requirements(GO_MOD.replace("{version}", "1.2.3")) == {
        "example.org/alone": "v1.0.0",
        "example.org/shared": "v1.2.3",
        "example.org/own/api": "v0.1.2.3",
    }


@pytest.mark.parametrize(("apart", "named"), [("", ["own/api", "shared"]), ("^example.org/own", ["shared"])])
def test_a_version_of_its_own_is_named_with_the_modules_and_the_cure(
    tmp_path: Path, apart: str, named: list[str]
) -> None:
    found = families.disagreements(gomod(tmp_path, apart, one="1.0.0", two="1.1.0"))
    assert [line.split()[1] for line in found] == [f"example.org/{name}" for name in named]
    assert "v1.0.0 in one; v1.1.0 in two: go get example.org/shared@" in found[-1]


def test_a_module_without_a_family_is_its_own(tmp_path: Path) -> None:
    folder = gomod(tmp_path, "", one="1.0.0", two="1.0.0")
    assert [families.family_of(module, folder) for module in ("one", "two", "three")] == ["pair", "pair", "three"]

"""What is told to be outdated: which modules are asked for, and how the answer is read and shown."""

import json
import os
import sys
from pathlib import Path

import pytest

from sluice.supply import outdated
from sluice.supply.outdated import Newer, built_from, newer_modules, table

GO_MOD = """module sluice/one

go 1.26.0

tool (
	example.org/act
	example.org/cmd/v3/cmd/tool
	example.org/replaced/cmd
)

require (
	example.org/act v0.2.0
	example.org/cmd v1.0.0 // indirect
	example.org/cmd/v3 v3.1.0 // indirect
	example.org/actor v9.0.0 // indirect
)

replace example.org/replaced => example.org/elsewhere v1.0.0
"""


def test_a_tool_comes_of_the_longest_module_that_holds_it() -> None:
    assert built_from(GO_MOD) == ["example.org/act", "example.org/cmd/v3"]


@pytest.mark.parametrize(
    "go_mod", ["module a\n", "tool example.org/act\n\nrequire example.org/act v1.0.0\n"], ids=["none", "one alone"]
)
def test_a_go_mod_without_a_block_of_tools_is_read_too(go_mod: str) -> None:
    assert built_from(go_mod) == (["example.org/act"] if "act" in go_mod else [])


def test_only_lines_with_an_update_count() -> None:
    assert newer_modules("gomod/one", "a.org/x v1.0.0 v1.1.0\na.org/y v2.0.0 \n") == [
        Newer("gomod/one", "a.org/x", "v1.0.0", "v1.1.0")
    ]


def test_what_could_not_be_asked_is_not_up_to_date() -> None:
    page = table([], {"gomod/one": "no answer\n\n# `within` 300 s"})
    assert "## 0 outdated" in page
    assert "- `gomod/one`: `no answer # within 300 s`" in page


def test_what_a_registry_says_is_no_markup() -> None:
    page = table([Newer("gomod/one", "a.org/x", "v1", "v2` | <img src=x>\n# x")], {})
    assert "| `gomod/one` | `a.org/x` | `v1` | `?` |" in page
    assert "<img" not in page


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A python that is pip and a go, in front of the real ones."""
    found = tmp_path / "bin"
    found.mkdir()
    packages = [
        {"name": "My_Package", "version": "0.28.0", "latest_version": "1!0.29.1"},
        {"name": "setuptools", "version": "65.5.0", "latest_version": "84.0.0"},
    ]
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "sluice.txt").write_text("my-package==0.28.0 \\\n    --hash=sha256:0\n")
    _program(found / "python", f"echo '{json.dumps(packages)}'")
    _program(found / "go", 'for last; do :; done; echo "$last v1.0.0 v1.9.0"')
    monkeypatch.setenv("PATH", f"{found}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(found / "python"))
    monkeypatch.setattr(outdated, "_GOMOD", tmp_path / "gomod")
    folder = tmp_path / "gomod" / "one"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text(GO_MOD)
    return found


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.anyio
async def test_pip_and_go_are_asked(programs: Path, tmp_path: Path) -> None:
    page = await outdated.report(tmp_path, tmp_path)
    assert "| `requirements/sluice.txt` | `My_Package` | `0.28.0` | `1!0.29.1` |" in page
    assert "| `gomod/one` | `example.org/cmd/v3` | `v1.0.0` | `v1.9.0` |" in page
    assert "Could not be asked" not in page
    assert "setuptools" not in page  # it came with Python, and no lock has it


@pytest.mark.anyio
async def test_one_that_cannot_be_asked_hides_no_other(programs: Path, tmp_path: Path) -> None:
    _program(programs / "go", "echo no network >&2; exit 1")
    page = await outdated.report(tmp_path, tmp_path)
    assert "`My_Package`" in page
    assert "Could not be asked:" in page
    assert "`gomod/one`" in page

"""The copy of the tree that the suite `extension` adds a service to."""

import asyncio
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.e2e.extension.tree import add_hello, copy_tree, require_only

from sluice.policy import load_policy
from sluice.steps.resolve_source import resolve_source

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of this very tree."""
    copy_tree(ROOT, tmp_path / "tree")
    return tmp_path / "tree"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


def test_what_git_does_not_track_and_ignores_stays_behind(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    git(source.parent, "init", "--quiet", "source")
    for name, text in {".gitignore": "waste\n", "sub/kept": "a", "waste": "b", "gone": "c"}.items():
        (source / name).write_text(text)
    (source / "link").symlink_to("sub/kept")
    git(source, "add", "--all")
    (source / "new").write_text("d")
    (source / "gone").unlink()
    copy_tree(source, tmp_path / "copy")
    copied = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*")}
    assert copied == {".gitignore", "sub", "sub/kept", "link", "new"}
    assert (tmp_path / "copy" / "link").is_symlink()


def test_without_git_the_folder_is_copied_without_its_waste(tmp_path: Path) -> None:
    for name in ("kept", ".sluice/run", "sub/__pycache__/x.pyc"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_text("")
    copy_tree(tmp_path / "source", tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").rglob("*")] == ["kept"]


def test_hello_is_a_service_like_the_others(tree: Path) -> None:
    before = {service.name for service in asyncio.run(resolve_source(tree)).services}
    add_hello(tree)
    after = {service.name: service for service in asyncio.run(resolve_source(tree)).services}
    assert set(after) == before | {"hello"}
    assert after["hello"].requires == ()
    chart = yaml.safe_load((tree / "helm" / "hello" / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["name"] == "hello"
    assert chart["dependencies"][0]["name"] == "lib"


def test_a_policy_asks_for_one_suite_and_else_for_the_same(tree: Path) -> None:
    before = load_policy(tree / "release" / "policy.toml")
    require_only(tree, "services")
    after = load_policy(tree / "release" / "policy.toml")
    assert after.required_suites == ("services",)
    assert after.objectives == before.objectives

"""Every mutant and every harmless change fits the tree of today, and leaves what can be read."""

import ast
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from bench.gate_mutants.__main__ import MUTANTS, SUITES
from bench.gate_mutants.faults import LEFT_OUT, POLICY, Change, DoesNotFit, Edit, apply, fingerprint, prepare
from bench.gate_mutants.harmless import healthy

from sluice.policy import load_policy

ROOT = Path(__file__).parents[3]
HEALTHY = healthy(10)
CHANGES = [change for change in (*MUTANTS, *HEALTHY) if change.edits]


def files_of(change: Change, tree: Path) -> list[Path]:
    """The files that a change edits, copied into `tree` and edited there."""
    names = sorted({edit.file for edit in change.edits})
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    apply(change, tree)
    return [tree / name for name in names]


@pytest.mark.parametrize("change", CHANGES, ids=[change.name for change in CHANGES])
def test_it_fits_the_tree_and_leaves_what_can_be_read(change: Change, tmp_path: Path) -> None:
    for path in files_of(change, tmp_path):
        text = path.read_text(encoding="utf-8")
        assert text != (ROOT / path.relative_to(tmp_path)).read_text(encoding="utf-8")
        match path.suffix:
            case ".py":
                ast.parse(text)
            case ".yaml":
                list(yaml.safe_load_all(text)) if "templates" not in path.parts else None
            case ".json":
                json.loads(text)


def test_no_edit_names_what_its_file_does_not_know(tmp_path: Path) -> None:
    for change in CHANGES:
        files_of(change, tmp_path / change.name)
    words = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--target-version", "py311"]
    done = subprocess.run([*words, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_there_are_as_many_as_were_promised() -> None:
    assert sum(change.by == "gate" for change in MUTANTS) >= 20
    assert len(HEALTHY) == 10
    assert sum(bool(change.edits) for change in HEALTHY) >= 5
    names = [change.name for change in (*MUTANTS, *HEALTHY)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("change", MUTANTS, ids=[change.name for change in MUTANTS])
def test_something_that_should_find_it_is_there(change: Change) -> None:
    objectives = [f"objective {one.name}" for one in load_policy(ROOT / POLICY).objectives]
    tests = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")]
    of_suites = {name for name in tests if name.split("/")[2] in SUITES}
    judging = [name.removeprefix("tests/e2e/") for name in tests if name in of_suites or change.by == "checks"]
    named = [f"{name}::{line[10:]}" for name in judging for line in lines_with_tests(ROOT / "tests/e2e" / name)]
    known = [*objectives, *judging, *named, "step install", "::"]
    assert any(part in name for part in change.expect for name in known), f"nothing of {change.expect} is there"


def lines_with_tests(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("async def test_")]


def test_the_suites_that_judge_are_there() -> None:
    assert [suite for suite in SUITES if not (ROOT / "tests" / "e2e" / suite).is_dir()] == []
    assert [name for name in LEFT_OUT if not (ROOT / name).is_file()] == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("a = 1\nb = 1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit("app.py", "c = 1", "c = 2"), "found 0 times in app.py: 'c = 1'"),
        (Edit("app.py", "= 1", "= 2"), "found 2 times in app.py: '= 1'"),
        (Edit("gone.py", "a", "b"), "there is no gone.py"),
        (Edit("app.py", "a = 1", "a = 1"), "changes nothing in app.py"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_nothing_is_changed(tree: Path, edit: Edit, said: str) -> None:
    with pytest.raises(DoesNotFit) as caught:
        apply(Change("drifted", "", (Edit("app.py", "b = 1", "bb = 1"), edit)), tree)
    assert "drifted does not fit the tree" in str(caught.value)
    assert f"edit 2: {said}" in str(caught.value)
    assert (tree / "app.py").read_text() == "a = 1\nb = 1\n"


def test_edits_of_one_file_go_one_after_the_other(tree: Path) -> None:
    apply(Change("both", "", (Edit("app.py", "a = 1", "a = 3"), Edit("app.py", "= 1", "= 2"))), tree)
    assert (tree / "app.py").read_text() == "a = 3\nb = 2\n"


def test_of_the_policy_only_the_required_suites_change(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    shutil.copy(ROOT / POLICY, tmp_path / POLICY)
    prepare(tmp_path, ["api", "logs"])
    before, after = (tomllib.loads((folder / POLICY).read_text()) for folder in (ROOT, tmp_path))
    assert after.pop("required_suites") == ["api", "logs"]
    before.pop("required_suites")
    assert after == before
    (tmp_path / POLICY).write_text("pass_score = 90\n")
    with pytest.raises(DoesNotFit, match="0 lines"):
        prepare(tmp_path, ["api"])


def test_a_tree_is_named_by_what_is_deployed(tmp_path: Path) -> None:
    for name in ("services/a.py", "docs/b.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    first = fingerprint(tmp_path)
    (tmp_path / "docs/b.md").write_text("2")
    assert fingerprint(tmp_path) == first
    (tmp_path / "services/a.py").write_text("2")
    assert fingerprint(tmp_path) != first

"""A project that `init` wrote: every part of Sluice takes it as it is, and nothing in it is of the task app."""

import ast
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.core.test_cli import sluice
from tests.unit.core.trees import tree as sources
from tests.unit.core.trees import write

from sluice.adopting import begin, templates
from sluice.adopting.parts import COPIED, LEFT_OUT, files_of, parts
from sluice.adopting.project import check_name
from sluice.adopting.record import FILE, read_record
from sluice.adopting.release import FEWER, LISTS, SUITES, WHOLE, WITHOUT
from sluice.budgets.stages import load_budget_policy
from sluice.errors import ProjectError
from sluice.policy import load_overrides, load_policy, load_quarantine
from sluice.promotion.approvals import load_approvals
from sluice.promotion.targets import load_targets
from sluice.settings import load_settings
from sluice.slo import files as slo_files
from sluice.standing import metrics_known
from sluice.steps.resolve_source import resolve_source

ROOT = Path(__file__).parents[3]
# With a hyphen, and late in the alphabet: imports are sorted, and a package cannot be called so.
SERVICE, MODULE = "zoo-desk", "zoo_desk"
GENERATED = {f"helm/monitoring/rules/slo-{SERVICE}.yaml", f"helm/monitoring/rules/tests/slo-{SERVICE}.test.yaml"}
CUT = {"release/policy.toml", *(f"release/{name}" for name in (*LISTS, *WHOLE))}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, and nothing beside it."""
    into: Path = tmp_path_factory.mktemp("projects") / "shop"
    begin(ROOT, into, SERVICE, "0123abcd")
    assert [path.name for path in into.parent.iterdir()] == ["shop"]
    return into


def tree(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    return {name for name in found if "__pycache__" not in name}


def owned() -> dict[str, str]:
    """What of the template each of the owner's files is made of."""
    return {templates.filled(name, SERVICE): name for name in templates.names()}


def test_every_file_is_copied_whole_or_the_owners(project: Path) -> None:
    copied, links = set(parts(ROOT)), {f"helm/{SERVICE}/{name}" for name in templates.LINKS}
    sets = (copied, set(owned()), links, GENERATED, CUT, {FILE})
    assert sum(map(len, sets)) == len(set.union(*sets)), "a file is two of these"
    assert tree(project) == set.union(*sets)
    assert len(copied) > 500
    for name in copied:
        assert (project / name).read_bytes() == (ROOT / name).read_bytes(), name
        assert (project / name).stat().st_mode == (ROOT / name).stat().st_mode, name
    for name, template in owned().items():
        text = (templates.TEMPLATE / template).read_text(encoding="utf-8")
        assert (project / name).read_text(encoding="utf-8") == templates.filled(text, SERVICE)
        assert "__service__" not in name + (project / name).read_text(encoding="utf-8")
        assert "__module__" not in name + (project / name).read_text(encoding="utf-8")


def test_the_record_lists_what_is_sluices(project: Path) -> None:
    record = read_record(project)
    assert set(record.files) == set(parts(ROOT))
    assert (record.revision, record.updating) == ("0123abcd", {})


@pytest.mark.parametrize("pattern", [*COPIED, *LEFT_OUT])
def test_every_part_is_there_to_be_copied(pattern: str) -> None:
    """A file that was renamed would be missing in a project, and nobody would know."""
    assert list(ROOT.glob(pattern.rstrip("/"))), f"{pattern} names nothing"


def test_what_a_copied_file_imports_of_the_tests_is_copied_too(project: Path) -> None:
    there = {path.relative_to(project).with_suffix("").as_posix() for path in project.rglob("*.py")}
    lacking = [
        f"{path.relative_to(project)} imports {module}"
        for path in (project / "tests").rglob("*.py")
        for module in imported(path, project)
        if not {module.replace(".", "/"), f"{module.replace('.', '/')}/__init__"} & there
    ]
    assert lacking == []


def imported(path: Path, project: Path) -> Iterator[str]:
    """The modules of tests/ and helm/ that a file names."""
    package = ".".join(path.relative_to(project).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = f"{package}.{node.module}" if node.level else str(node.module)
            if module.split(".")[0] in ("tests", "helm"):
                yield module


def test_the_pipeline_takes_the_project(project: Path) -> None:
    source = asyncio.run(resolve_source(project))
    assert [(one.name, one.module, one.requires) for one in source.services] == [(SERVICE, MODULE, ())]
    assert source.fixtures == (), "neither database nor broker: none is installed"
    policy = load_policy(project / "release" / "policy.toml", metrics=metrics_known(project))
    for suite in policy.required_suites:
        assert list((project / "tests" / "e2e" / suite).glob("test_*.py")), f"the policy asks for {suite}"
    assert load_overrides(project / "release" / "overrides.toml", policy.objectives, now=0) == ()
    assert load_quarantine(project / "release" / "quarantine.toml", now=0) == ()
    assert load_budget_policy(project, policy).stages, "its gate's objective is that of the last stage too"
    targets = load_targets(project)
    assert set(targets) == {"local"}
    assert load_approvals(project / "release" / "approvals.toml", targets, now=0) == ()
    assert load_settings(project, {}) == load_settings(ROOT, {})
    assert slo_files.check(project) == len(GENERATED)


def test_its_policy_is_ours_but_for_what_it_has_nothing_for(project: Path) -> None:
    ours, its = (load_policy(root / "release" / "policy.toml") for root in (ROOT, project))
    by_name = {one.name: one for one in ours.objectives}
    assert {*WITHOUT, *FEWER} <= set(by_name), "cut by names that the policy has no more"
    kept = [replace(one, min_samples=FEWER.get(one.name, one.min_samples)) for one in ours.objectives]
    assert its.objectives == tuple(one for one in kept if one.name not in WITHOUT)
    assert its == replace(ours, required_suites=SUITES, objectives=its.objectives)
    pods = {one.name: one.min_samples for one in its.objectives if counts_pods(one.samples_query or "")}
    assert pods
    assert set(pods.values()) == {1}, f"a project has one pod: {pods}"


def counts_pods(query: str) -> bool:
    """Whether an objective's samples are what the services' namespace has, and not what happened there."""
    return query.startswith("count(") and "{namespace}" in query


def test_entries_of_our_lists_are_not_the_projects(tmp_path: Path) -> None:
    small(tmp_path / "sluice", {"release/quarantine.toml": "# what\nschema = 1\n\n[[test]]\nid = 2\n"})
    begin(tmp_path / "sluice", tmp_path / "shop", SERVICE, "1")
    assert (tmp_path / "shop" / "release" / "quarantine.toml").read_text() == "# what\nschema = 1\n"


def test_the_owners_python_is_clean(project: Path) -> None:
    own = sorted(name for name in owned() if name.endswith(".py"))
    words = [str(Path(sys.executable).with_name("ruff"))]
    for command in (["check", "--no-cache"], ["format", "--no-cache", "--check"]):
        done = subprocess.run([*words, *command, *own], cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_services_own_tests_pass(project: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "services/pytest.ini", "services"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def small(root: Path, more: dict[str, str] | None = None) -> Path:
    """A tree that is small enough to make projects of all day."""
    files = {"nox": "run", "docs/a.md": "a", "docs/b.md": "b", "bench/own.py": "own", "release/policy.toml": ""}
    files |= {f"release/{name}": "" for name in (*LISTS, *WHOLE)}
    write(root, {**files, **(more or {})})
    return root


def test_a_small_tree_is_listed_without_git_too(tmp_path: Path) -> None:
    root = small(tmp_path, {".sluice/x": "", "docs/__pycache__/x.pyc": ""})
    assert "bench/own.py" in files_of(root)
    assert parts(root) == ["docs/a.md", "docs/b.md", "nox"]


def refused(root: Path, into: Path, service: str = "hello") -> str:
    before = tree(into.parent) if into.parent.exists() else set()
    with pytest.raises(ProjectError) as caught:
        begin(root, into, service, "1")
    assert (tree(into.parent) if into.parent.exists() else set()) == before, "something was written"
    return str(caught.value)


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    root = small(tmp_path / "sluice")
    write(tmp_path / "shop", {"mine.txt": "mine"})
    said = refused(root, tmp_path / "shop")
    assert "shop is not empty" in said
    assert "mine.txt" in said
    write(tmp_path, {"file": ""})
    assert "file is not empty" in refused(root, tmp_path / "file")


def test_a_project_that_is_there_is_refused_with_the_way_to_update_it(tmp_path: Path) -> None:
    root = small(tmp_path / "sluice")
    (tmp_path / "shop").mkdir()
    begin(root, tmp_path / "shop", "hello", "1")
    said = refused(root, tmp_path / "shop")
    assert "shop is a project already" in said
    assert f"./nox -s init -- --into {tmp_path / 'shop'} --update" in said


@pytest.mark.parametrize("into", [".", "docs/new", "new", "..", "link"])
def test_our_own_tree_is_refused(tmp_path: Path, into: str) -> None:
    root = small(tmp_path / "x" / "sluice")
    (root / "link").symlink_to(root)
    assert "is no place for a project" in refused(root, root / into)


def test_a_project_makes_no_projects(tmp_path: Path) -> None:
    begin(small(tmp_path / "sluice"), tmp_path / "shop", "hello", "1")
    said = refused(tmp_path / "shop", tmp_path / "other")
    assert "not Sluice" in said
    assert "in a checkout of Sluice" in said


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Hello", "no name of a Service"),
        ("9lives", "no name of a Service"),
        ("a_b", "no name of a Service"),
        ("shop-", "no name of a Service"),
        ("x" * 43, "no name of a Service"),
        ("../up", "no name of a Service"),
        ("monitoring", "a chart or a fixture has that name"),
        ("lib", "a chart or a fixture has that name"),
        ("postgresql", "a chart or a fixture has that name"),
        ("servicekit", "a chart or a fixture has that name"),
        ("json", "a module json already"),
        ("fastapi", "a module fastapi already"),
        ("class", "a module class already"),
    ],
)
def test_a_name_that_no_service_can_have_is_refused(name: str, why: str) -> None:
    with pytest.raises(ProjectError, match=why):
        check_name(ROOT, name)


def test_of_one_that_was_killed_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, into = small(tmp_path / "sluice"), tmp_path / "shop"
    write(tmp_path, {".shop.sluice-init/half": "of one that could not even clean up"})

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sluice.adopting.project.write_release", stopped)
        with pytest.raises(KeyboardInterrupt):
            begin(root, into, "hello", "1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sluice"]
    begin(root, into, "hello", "1")
    assert not (into / "half").exists()


def test_the_command_says_what_it_wrote_and_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sources(small(tmp_path / "sluice"), "shop"))
    done = sluice("init", "--into", str(tmp_path / "shop"))
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / 'shop'}: the service hello, and " in done.output
    assert "next: cd " in done.output
    again = sluice("init", "--into", str(tmp_path / "shop"))
    assert again.exit_code == 2
    assert "is a project already" in again.output

"""The workflows of GitHub Actions: they run what the README says, pinned, with few rights."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.report.summary import MARKER

ROOT = Path(__file__).parents[3]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(path.name for path in (GITHUB / "workflows").iterdir())
FILES = [*(f"workflows/{name}" for name in WORKFLOWS), "actions/setup/action.yml"]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+){0,2}")
NOX = re.compile(r"\./nox -s (\S+)")


def read(name: str) -> str:
    return (GITHUB / name).read_text(encoding="utf-8")


def sessions() -> set[str]:
    """The sessions that noxfile.py has."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {one.name for one in functions if any("session" in ast.unparse(with_) for with_ in one.decorator_list)}


def steps(document: Any) -> Iterator[dict[str, Any]]:
    """All steps of a workflow, or of an action."""
    for job in document.get("jobs", {"": document.get("runs", {})}).values():
        yield from job.get("steps", ())


def commands(document: Any) -> list[str]:
    """What a workflow gives to ./nox, in order."""
    return [found for step in steps(document) for found in NOX.findall(step.get("run", ""))]


def mistakes(text: str) -> list[str]:
    """What is wrong with a workflow or an action; the tests below plant each of these."""
    document = yaml.safe_load(text)
    found = [
        f"not pinned by commit and version: {used}"
        for used in re.findall(r"^\s*(?:- )?uses: (.+)$", text, re.MULTILINE)
        if not (PINNED.fullmatch(used) or (used.startswith("./") and (ROOT / used).exists()))
    ]
    found += [f"no such session: {name}" for name in commands(document) if name not in sessions()]
    for step in steps(document):
        # What the runner puts into a script before the shell reads it is code, whoever wrote it: by env it is a value.
        found += [f"an expression in a script: {step['run']}"] if "${{" in step.get("run", "") else []
        if (
            step.get("uses", "").startswith("actions/checkout@")
            and step["with"].get("persist-credentials") is not False
        ):
            found.append("the checkout leaves its token behind")
    return found + (_workflow(document) if "jobs" in document else [])


def _workflow(document: Any) -> list[str]:
    found = [] if document.get("permissions") == {} else ["permissions are not {} for all jobs"]
    found += [] if {"group", "cancel-in-progress"} <= set(document.get("concurrency", ())) else ["no concurrency"]
    found += [] if "pull_request_target" not in (document.get("on") or document[True]) else ["pull_request_target"]
    runs = any("run" in step for step in steps(document))
    shell = document.get("defaults", {}).get("run", {}).get("shell")
    found += [] if not runs or shell == "bash -euo pipefail {0}" else ["a shell that goes on after a failure"]
    for name, job in document["jobs"].items():
        found += [] if "uses" in job or "timeout-minutes" in job else [f"{name}: no timeout-minutes"]
        found += [] if isinstance(job.get("permissions"), dict) else [f"{name}: no permissions of its own"]
        writes = "write" in {job.get("permissions", {}).get(right) for right in ("pull-requests", "contents", "issues")}
        text = str(job.get("steps", ""))
        found += [f"{name}: writes, and runs the tree"] if writes and ("checkout" in text or "./nox" in text) else []
    return found


@pytest.mark.parametrize("name", FILES)
def test_ours_are_sound(name: str) -> None:
    assert mistakes(read(name)) == []


CI = read("workflows/ci.yml")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "checkout@v7", "not pinned"),
        (" # v7.0.1", "", "not pinned"),
        ("./.github/actions/setup", "./.github/actions/none", "not pinned"),
        ("run: ./nox -s tests", "run: ./nox -s test", "no such session: test"),
        ("run: ./nox -s tests", "run: ./nox -s tests -- ${{ github.event.pull_request.title }}", "an expression"),
        ("persist-credentials: false", "persist-credentials: true", "leaves its token"),
        ("permissions: {}\n", "", "permissions are not {}"),
        ("permissions: {}\n", "permissions: write-all\n", "permissions are not {}"),
        ("concurrency:", "env:", "no concurrency"),
        ("  pull_request:\n", "  pull_request_target:\n", "pull_request_target"),
        ("shell: bash -euo pipefail {0}", "shell: bash", "goes on after a failure"),
        ("    timeout-minutes: 90\n", "", "tests: no timeout-minutes"),
        ("    permissions:\n      contents: read\n", "", "tests: no permissions of its own"),
        ("      contents: read\n", "      contents: write\n", "tests: writes, and runs the tree"),
    ],
)
def test_each_mistake_is_found(right: str, wrong: str, told: str) -> None:
    assert right in CI
    assert any(told in found for found in mistakes(CI.replace(right, wrong, 1)))


def test_the_two_commands_are_the_same_in_the_readme_in_ci_and_in_the_workflow() -> None:
    block = (ROOT / "README.md").read_text().partition("## Two commands")[2].partition("##")[0]
    looped = re.search(r"^for session in (.+); do$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert looped
    jobs = yaml.safe_load(CI)["jobs"]
    first = {name: commands({"jobs": {name: jobs[name]}})[0] for name in ("tests", "e2e")}
    assert first == {"tests": "tests", "e2e": "e2e"}
    lines = [step["run"] for name in first for step in jobs[name]["steps"] if "run" in step and "if" not in step]
    assert lines == ["./nox -s tests", "./nox -s e2e"]
    assert sorted(NOX.findall(block)[:2]) == sorted(looped[1].split()) == sorted(first)


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_the_run_is_kept_and_told_however_it_ended(name: str) -> None:
    found = [step for step in steps(yaml.safe_load(read(f"workflows/{name}"))) if step.get("if") == "always()"]
    kept = [step for step in found if step.get("with", {}).get("path") == ".sluice/latest/"]
    assert [step["with"]["include-hidden-files"] for step in kept] == [True]
    assert ["./nox -s summary" in step.get("run", "") for step in found].count(True) == 1


def test_a_comment_is_known_by_the_summarys_first_line() -> None:
    script = next(step["run"] for step in steps(yaml.safe_load(CI)) if "gh api" in step.get("run", ""))
    assert script.count(MARKER) == 2
    assert 'if [ "$FORK" = true ]' in script.partition("gh api")[0]


def test_only_pull_requests_are_cancelled_by_what_comes_after() -> None:
    assert yaml.safe_load(CI)["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    for name in set(WORKFLOWS) - {"ci.yml"}:
        assert yaml.safe_load(read(f"workflows/{name}"))["concurrency"]["cancel-in-progress"] is False, name


def test_the_cache_is_of_all_that_decides_what_is_in_it() -> None:
    cache = next(step for step in steps(yaml.safe_load(read("actions/setup/action.yml"))) if "/cache@" in step["uses"])
    files = re.findall(r"'([^']+)'", cache["with"]["key"])
    # To GitHub `**` at the end is files too, to pathlib folders alone.
    matched = [list(ROOT.glob(re.sub(r"\*\*$", "**/*", pattern))) for pattern in files]
    assert [bool(paths) for paths in matched] == [True] * 3
    locks = {str(path.relative_to(ROOT)) for paths in matched for path in paths}
    assert locks >= {"ci/src/sluice/supply/catalog.toml", "requirements/sluice.txt", "services/requirements.lock"}


def test_all_that_has_to_be_set_up_is_documented() -> None:
    page = (ROOT / "docs" / "github-actions.md").read_text()
    used = {word for name in FILES for word in re.findall(r"\b(?:secrets|vars)\.([A-Z]\w+)", read(name))}
    assert len(used) > 10
    assert sorted(word for word in used if f"`{word}`" not in page) == []
    told = set(re.findall(r"^\| `([A-Z][A-Z_]+)`", page, re.MULTILINE))
    assert sorted(told - used) == []

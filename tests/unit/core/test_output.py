"""What a command prints: tables for people, the last lines with -q, JSON lines with --json; no colours in a file."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.core.json_events import events
from tests.unit.gate.stored_run import FOLDER
from typer.testing import CliRunner, Result

from sluice import doctor
from sluice.doctor import Finding
from sluice.domain import Evidence, Verdict, dump, load
from sluice.entrypoints import cli, console
from sluice.errors import NotReady

ROOT = Path(__file__).parents[3]
FINDINGS = [Finding("Go", "short", "not on PATH", "install it"), Finding("disk", "lacks", "1 GB", "free some")]


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with a run in it, which is worked on; doctor finds FINDINGS."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_RUN_CACHE", str(tmp_path / "cache"))  # where clusters are held
    shutil.copytree(FOLDER, tmp_path / "run")

    async def examine(*_: object) -> list[Finding]:
        return FINDINGS

    monkeypatch.setattr(doctor, "examine", examine)
    return tmp_path


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


JUDGE = ("gate", "--evidence", "run", "--dry-run")


def test_a_result_is_one_json_line_with_all_that_a_verdict_has(tree: Path) -> None:
    result = sluice(*JUDGE, "--json")
    [found] = events(result.stdout)
    assert result.stderr == ""
    assert (found["event"], found["task"], found["exit_status"]) == ("result", "gate", result.exit_code)
    assert found["text"] == "WARN  score 65 of 100"
    assert found["data"]["verdict"] == json.loads((tree / "run" / "verdict.json").read_bytes())
    assert found["data"]["policy"] == "run/policy.toml"
    assert found["data"]["written"] is False


@pytest.mark.parametrize("arguments", [("--json", *JUDGE), (*JUDGE[:1], "--json", *JUDGE[1:])])
def test_the_options_may_stand_anywhere(arguments: tuple[str, ...]) -> None:
    assert [one["event"] for one in events(sluice(*arguments).stdout)] == ["result"]


@pytest.mark.parametrize("option", ["-q", "--quiet"])
@pytest.mark.parametrize("first", [True, False])
def test_quiet_leaves_the_last_line(option: str, first: bool) -> None:
    result = sluice(option, *JUDGE) if first else sluice(*JUDGE, option)
    assert (result.stdout, result.stderr, result.exit_code) == ("WARN  score 65 of 100\n", "", 0)


def test_what_one_call_asked_for_is_forgotten_by_the_next() -> None:
    sluice(*JUDGE, "--json", "-q")
    assert sluice(*JUDGE).stdout.startswith("Verdict\nobjective")


def test_options_after_a_double_dash_are_none() -> None:
    result = sluice("supply", "--list", "--", "--json")
    assert not result.stdout.startswith("{")


def test_a_table_becomes_its_data_and_the_exit_status_stays() -> None:
    told = sluice("doctor")
    assert (told.exit_code, "install it" in told.stdout) == (1, True)
    quiet = sluice("doctor", "-q")
    assert (quiet.exit_code, quiet.stdout) == (1, "lacks: disk\n")
    result = sluice("doctor", "--json")
    [found] = events(result.stdout)
    assert result.exit_code == found["exit_status"] == 1
    assert found["text"] == "lacks: disk"
    assert found["data"]["findings"][1] == {"what": "disk", "state": "lacks", "seen": "1 GB", "cure": "free some"}


def test_components_are_listed_as_data(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "release").mkdir()
    shutil.copy(ROOT / "release" / "policy.toml", tree / "release")
    monkeypatch.setenv("SLUICE_RUN_CACHE", str(tree / "cache"))
    [found] = events(sluice("supply", "--list", "--json").stdout)
    assert (found["task"], found["data"]) == ("supply", {"components": []})
    assert sluice("supply", "--list", "-q").stdout == ""


ERRORS: list[tuple[list[str], dict[str, str]]] = [
    (["gate", "--evidence", "nowhere", "--policy", "run/policy.toml"], {
        "failed": "nowhere/evidence.json cannot be read", "seen": "No such file or directory",
        "expected": "what a run wrote there (Evidence)", "next": "./nox -s e2e"}),
    (["e2e", "--runtime", "podman"], {
        "failed": "the command line: 1 mistake\n  - --runtime podman: no such runtime",
        "expected": "auto, docker or dagger", "next": "./nox -s e2e -- --help"}),
    (["gate", "--nothing"], {"failed": "No such option: --nothing", "next": "root gate --help"}),
    (["gat"], {"failed": "No such command 'gat'. Did you mean 'gate'?", "next": "root --help"}),
    (["target", "sideways"], {
        "failed": "Invalid value for 'action': Value error, 'sideways' is not one of 'up', 'down'.",
        "next": "root target --help"}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "told"), ERRORS)
def test_an_error_is_a_json_line_with_the_same_exit_status(arguments: list[str], told: dict[str, str]) -> None:
    result = sluice(*arguments, "--json")
    [found] = events(result.stdout)
    assert (result.stderr, result.exit_code, found.pop("event")) == ("", 2, "error")
    assert {name: text for name, text in found.items() if name not in ("v", "time")} == told
    for others in ([], ["-q"]):
        plain = sluice(*arguments, *others)
        assert (plain.exit_code, plain.stdout) == (2, "")
        assert told["failed"].splitlines()[0].split(":")[0] in " ".join(plain.stderr.split())


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (ExceptionGroup("two", [NotReady("one"), NotReady("other", seen="x")]), 2, ["one", "other"]),
        (PermissionError(13, "Permission denied", "/somewhere"), 2, ["/somewhere: Permission denied"]),
        (KeyboardInterrupt(), 130, ["stopped"]),
    ],
)
def test_what_breaks_a_command_is_told_as_json(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, status: int, told: list[str]
) -> None:
    async def broken(*_: object) -> list[Finding]:
        raise raised

    monkeypatch.setattr(doctor, "examine", broken)
    result = sluice("doctor", "--json")
    assert [one["failed"] for one in events(result.stdout)] == told
    assert result.exit_code == status


def test_a_run_that_was_asked_for_ends_with_its_verdict_and_where_it_lies(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = load(Evidence, tree / "run" / "evidence.json")
    (tree / "run" / "evidence.json").write_bytes(dump(replace(evidence, failures=("no\x1b[31m engine",))))
    (tree / "release").mkdir()
    shutil.copy(ROOT / "release" / "policy.toml", tree / "release")

    async def line(*_: object) -> Path:
        with console.progress() as progress:
            progress.begin("build images", expected_seconds=61.5)
            progress.update("build images", "api: \x1b[32mstep 3 of 9")
            progress.end("build images", outcome="done", detail="5 images")
        console.note("a word")
        return tree / "run"

    monkeypatch.setattr(cli, "_line_here", line)
    monkeypatch.setattr(cli, "_line_in_engine", line)
    found = events(sluice("e2e", "--json").stdout)
    assert [one["event"] for one in found] == ["begin", "progress", "end", "note", "result"]
    assert found[0]["expected_seconds"] == 61.5
    assert found[1]["text"] == "api: \x1b[32mstep 3 of 9"
    assert (found[2]["outcome"], found[2]["text"], found[2]["seconds"]) == (
        "done",
        "5 images",
        pytest.approx(0, abs=60),
    )
    data = found[-1]["data"]
    assert (data["evidence"], data["report"]) == ("run", "run/report.html")
    assert data["verdict"]["level"] == load(Verdict, tree / "run" / "verdict.json").level
    assert data["failures"] == ["no\x1b[31m engine"]
    assert [one["event"] for one in events(sluice("e2e", "--json", "-q").stdout)] == ["result"]
    quiet = sluice("e2e", "-q")
    assert quiet.stdout.splitlines()[-1] == "evidence: run   report: run/report.html"
    assert len(quiet.stdout.splitlines()) == 2
    assert quiet.stderr == "\n✗ no engine\n"
    assert quiet.exit_code == found[-1]["exit_status"]


def test_no_command_prints_but_through_the_console() -> None:
    folder = ROOT / "ci" / "src" / "sluice" / "entrypoints"
    commands = [folder / "cli.py", *folder.glob("*_command.py"), *folder.glob("*_commands.py")]
    assert len(commands) > 10
    printing = re.compile(r"\bprint\(|\becho\(|stdout\.|stderr\.")
    found = {path.name: printing.findall(path.read_text(encoding="utf-8")) for path in commands}
    assert {name: said for name, said in found.items() if said} == {}


def piped(tree: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command with pipes for output, in an environment without what would steer colours and width."""
    steering = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "GITHUB_ACTIONS", "PYTHONIOENCODING")
    clean = {name: text for name, text in os.environ.items() if name not in steering}
    return subprocess.run(
        [sys.executable, "-m", "sluice", *arguments], cwd=tree, check=False, capture_output=True, timeout=120,
        text=True, encoding="utf-8",
        env={**clean, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT / "ci" / "src"), **environment},
    )  # fmt: skip


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|4[0-9]|9[0-7])[;m]")


@pytest.mark.parametrize(
    ("environment", "colours", "width"),
    [
        ({}, False, 160),
        ({"COLUMNS": "90"}, False, 90),
        ({"FORCE_COLOR": "1"}, True, 160),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, 160),
    ],
)
def test_a_pipe_gets_wide_tables_and_colours_only_where_they_are_forced(
    tree: Path, environment: dict[str, str], colours: bool, width: int
) -> None:
    done = piped(tree, environment, *JUDGE)
    assert done.returncode == 0
    assert done.stderr == ""
    assert bool(COLOUR.search(done.stdout)) == colours
    assert "\r" not in done.stdout
    if "FORCE_COLOR" not in environment:
        assert "\x1b" not in done.stdout
        row = next(line for line in done.stdout.splitlines() if line.startswith("objective"))
        assert len(row) == width
        assert max(map(len, done.stdout.splitlines())) <= width


def test_a_locale_without_the_signs_breaks_nothing(tree: Path) -> None:
    done = piped(tree, {"PYTHONIOENCODING": "ascii"}, *JUDGE)
    assert done.returncode == 0
    assert "? pass" in done.stdout
    assert done.stderr == ""

"""The command line: exit statuses, and errors told in one place without a traceback."""

import shutil
from pathlib import Path

import pytest
from tests.unit.gate.samples import instead
from typer.testing import CliRunner, Result

from sluice import doctor
from sluice.domain import Verdict, dump, load
from sluice.entrypoints import cli
from sluice.errors import NotReady

POLICY = Path(__file__).parents[3] / "release" / "policy.toml"


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def test_without_a_command_the_help_teaches_the_exit_statuses() -> None:
    result = sluice("--help")
    assert result.exit_code == 0
    assert "0 pass or warn, 1 fail, 2 it could not be tried" in " ".join(result.output.split())


@pytest.mark.parametrize("command", ["e2e", "supply", "evidence", "gate", "compare", "doctor", "clean"])
def test_every_command_has_a_help_of_its_own(command: str) -> None:
    result = sluice(command, "--help")
    assert result.exit_code == 0
    assert f"{command} [OPTIONS]" in result.output


def test_broken_settings_are_all_told_and_nothing_is_tried(tree: Path) -> None:
    (tree / "sluice.toml").write_text('[cluster]\nregistry_port = "high"\ncolour = 1\n')
    result = sluice("doctor")
    assert result.exit_code == 2
    assert "registry_port" in result.output
    assert "colour" in result.output
    assert "Traceback" not in result.output


def test_a_runtime_that_is_none_is_told(tree: Path) -> None:
    result = sluice("e2e", "--runtime", "podman")
    assert result.exit_code == 2
    assert "--runtime podman: no such runtime" in result.output
    assert "docker or dagger" in result.output


def test_a_part_that_is_none_is_told(tree: Path) -> None:
    result = sluice("e2e", "--shard", "3/2")
    assert result.exit_code == 2
    assert "--shard 3/2: no part of a whole" in result.output


def test_evidence_that_is_not_there_is_told_with_the_next_command(tree: Path) -> None:
    result = sluice("gate", "--evidence", "nowhere", "--policy", str(POLICY))
    assert result.exit_code == 2
    assert "nowhere/evidence.json cannot be read" in result.output
    assert "./nox -s e2e" in result.output


def test_judging_again_writes_the_verdict_beside_the_evidence(tree: Path) -> None:
    shutil.copy(POLICY, tree / "policy.toml")
    (tree / "run").mkdir()
    (tree / "run" / "evidence.json").write_bytes(dump(instead()))
    result = sluice("gate", "--evidence", "run", "--policy", "policy.toml")
    verdict = load(Verdict, tree / "run" / "verdict.json")
    assert result.exit_code == (1 if verdict.level == "fail" else 0)
    assert f"{verdict.level.upper()}  score {verdict.score:.0f} of 100" in result.output


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (NotReady("the node", seen="still at work", expected="its end", next_command="read it"), 2, "✗ the node"),
        (PermissionError(13, "Permission denied", "/somewhere"), 2, "/somewhere: Permission denied"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_what_breaks_a_command_decides_its_status_and_is_told(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, status: int, told: str
) -> None:
    async def broken(*_: object) -> list[object]:
        raise raised

    monkeypatch.setattr(doctor, "examine", broken)
    result = sluice("doctor")
    assert result.exit_code == status
    assert told in result.output
    assert "Traceback" not in result.output

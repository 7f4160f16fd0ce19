"""The commands of promotion: their help teaches, wrong usage is told and does nothing, and how each ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sluice.deploying import Outcome
from sluice.doctor import Finding
from sluice.entrypoints import cli, deploy_commands, release_command, target_command
from sluice.errors import ClusterError, PromotionRefused
from sluice.looking import Status
from sluice.promoting import End
from sluice.promotion.ledger import Entry, append
from sluice.promotion.model import Target
from sluice.promotion.plan import Plan

TARGET = """\
schema = "sluice.target/v1"
cloud = "gke"
registry = { repository = "registry.acme.org/sluice" }
cluster = { context = "acme" }
"""
WITH_A_TARGET = ["deploy", "rollback", "history", "status", "doctor"]


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_RUN_CACHE", str(tmp_path / "cache"))  # where clusters are held
    (tmp_path / "targets").mkdir()
    for name in ("prod", "staging"):
        (tmp_path / "targets" / f"{name}.toml").write_text(TARGET)
    for module in (deploy_commands, target_command):
        monkeypatch.setattr(module, "Toolbox", lambda *_: None)
    return tmp_path


def sluice(*arguments: str) -> Result:
    result = CliRunner().invoke(cli.app, list(arguments))
    assert "Traceback" not in result.output
    return result


def words(result: Result) -> str:
    """What was said, however it was broken into lines."""
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("command", "teaches"),
    [
        ("release", ["SBOM, provenance, verdict and signatures", "[release]", "--run"]),
        ("deploy", ["goes on where it was", "0 verified, 1 rolled back or failed", "--release", "--dry-run", "--full"]),
        ("rollback", ["undo a half promotion", "No window and no freeze is against it", "--to", "--dry-run"]),
        ("status", ["Without --cloud or --target: all of them", "Exit status 1"]),
        ("history", ["its ledger's chain is checked"]),
        ("target", ["targets/local.toml", "deploy -- --cloud local", "up|down", "--new"]),
        ("doctor", ["with --cloud, what a target lacks", "--target"]),
    ],
)
def test_every_help_teaches(command: str, teaches: list[str]) -> None:
    result = sluice(command, "--help")
    assert result.exit_code == 0
    assert [one for one in teaches if one not in words(result)] == []


def told(tree: Path, *arguments: str) -> str:
    """What is said of a command that was used wrongly; nothing may be done then."""
    result = sluice(*arguments)
    assert result.exit_code == 2
    assert not (tree / ".sluice").exists()
    return words(result)


@pytest.mark.parametrize("command", ["deploy", "rollback", "history"])
def test_no_target_is_told_with_those_that_there_are(tree: Path, command: str) -> None:
    said = told(tree, command)
    assert "no target is named" in said
    assert "--cloud or --target with one of prod, staging" in said


@pytest.mark.parametrize("command", WITH_A_TARGET)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cloud", "gke", "--target", "prod"], "--cloud gke and --target prod expected: one of them"),
        (["--target", "nowhere"], "no target nowhere expected: prod, staging next: ls targets"),
        (["--cloud", "oke"], "no target oke expected: prod, staging"),
        (["--cloud", "gke"], "no target gke: prod, staging are of that cloud"),
    ],
)
def test_both_an_unknown_one_or_several_are_told(tree: Path, command: str, arguments: list[str], said: str) -> None:
    assert said in told(tree, command, *arguments)


@pytest.mark.parametrize("command", WITH_A_TARGET)
def test_all_mistakes_of_all_targets_are_told_whichever_is_asked_for(tree: Path, command: str) -> None:
    (tree / "targets" / "prod.toml").write_text(TARGET.replace("gke", "aws") + 'smoke = ["nothing"]\n')
    (tree / "targets" / "other.toml").write_text("[registry\n")
    said = told(tree, command, "--target", "staging")
    assert "targets: 3 mistakes" in said
    assert "targets/other.toml: " in said
    assert said.count("targets/prod.toml: line ") == 2
    assert "the keys that docs/reference/targets.md lists" in said


def test_a_tree_without_targets_says_what_to_make(tree: Path) -> None:
    for file in (tree / "targets").iterdir():
        file.unlink()
    assert "one of targets/*.toml" in told(tree, "deploy")
    assert "expected: a file in targets/" in told(tree, "deploy", "--cloud", "gke")


@pytest.mark.parametrize("arguments", [[], ["sideways"], ["up", "down"]])
def test_the_local_target_goes_up_or_down(tree: Path, arguments: list[str]) -> None:
    told(tree, "target", *arguments)


@pytest.mark.parametrize("made", [None, "nonsense"])
def test_a_release_of_no_run_is_told_before_anything_is_obtained(
    tree: Path, monkeypatch: pytest.MonkeyPatch, made: str | None
) -> None:
    monkeypatch.setattr(release_command, "Toolbox", None)  # to make one would fail
    if made:
        (tree / "a-run").mkdir()
        (tree / "a-run" / "evidence.json").write_text(made)
    said = told(tree, "release", "--run", "a-run")
    assert "a-run/evidence.json " in said
    assert "next: ./nox -s e2e" in said


def ends(monkeypatch: pytest.MonkeyPatch, outcome: Outcome | Exception) -> list[tuple[Any, ...]]:
    """Have deploy and rollback come to that; returns what they were asked."""
    asked: list[tuple[Any, ...]] = []

    class FakeDeployer:
        def __init__(self, *_: object) -> None:
            pass

        async def deploy(self, target: Target, wanted: str, *, dry_run: bool) -> Outcome:
            asked.append((target.name, wanted, dry_run))
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        rollback = deploy

    monkeypatch.setattr(deploy_commands, "Deployer", FakeDeployer)
    return asked


PLAN = Plan("prod", "B", "A", (), ())


@pytest.mark.parametrize(
    ("outcome", "status", "said"),
    [
        (Outcome(PLAN), 0, "prod: A → B images: 0 change, 0 stay nothing was changed"),
        (Outcome(PLAN, ("it is frozen",)), 1, "✗ it is frozen nothing was changed"),
        (Outcome(PLAN, end=End("verified", "B", "9 passed")), 0, "✓ B on prod: verified: 9 passed evidence: .sluice/"),
        (
            Outcome(PLAN, end=End("verified", "B", "9 passed", resumed="copied")),
            0,
            "it was copied when it was stopped, and went on from there ✓ B on prod",
        ),
        (
            Outcome(PLAN, end=End("rolled-back", "B", "no", restored="A", restored_seconds=41.5)),
            1,
            "↩ B on prod: rolled-back: no back to A, verified 41.5 s after the check that failed",
        ),
        (Outcome(PLAN, end=End("failed", "B", "no")), 1, "✗ B on prod: failed: no"),
        (
            Outcome(PLAN, end=End("rolled-back", "B", "undone", restored="A", resumed="copied", undone=True)),
            0,
            "it was copied when it was stopped ↩ B on prod: rolled-back: undone evidence: ",
        ),
        (PromotionRefused("B", ["it is frozen"], expected="a window"), 2, "✗ B: 1 reason - it is frozen"),
        (ExceptionGroup("both", [ClusterError("one"), ClusterError("other")]), 2, "✗ one ✗ other"),
    ],
)
@pytest.mark.parametrize(("command", "option"), [("deploy", "--release"), ("rollback", "--to")])
def test_how_it_ends_is_told_and_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, command: str, option: str, outcome: Outcome | Exception, status: int, said: str
) -> None:
    asked = ends(monkeypatch, outcome)
    result = sluice(command, "--target", "prod", option, "B", "--dry-run")
    assert result.exit_code == status
    assert said in words(result)
    assert asked == [("prod", "B", True)]
    sluice(command, "--target", "prod")
    assert asked[1:] == [("prod", "", False)]


def state_of(**changed: Any) -> Callable[[str], Status]:
    given = {"release": "B", "since": 0.0, "who": "Ada", "verdict": "pass, 100", "budgets": {"api": 0.5}, "drift": ()}
    return lambda name: Status(name, **{**given, **changed})


@pytest.mark.parametrize(
    ("prod", "status", "said"),
    [
        (state_of(), 0, ["prod", "B", "pass, 100", "50% of api", "nothing"]),
        (
            state_of(drift=("api runs as sha256:1", "api: Service api was edited")),
            1,
            ["api runs as sha256:1", "edited"],
        ),
        (state_of(under_way="C is copied"), 1, ["C is copied"]),
        (state_of(release="", verdict="", budgets={}), 0, ["–", "nothing"]),
        (ClusterError("no answer", seen="timed out"), 1, ["?", "✗ no answer: timed out"]),
        (ExceptionGroup("several", [ClusterError("no answer", seen="timed out")]), 1, ["?", "✗ no answer: timed out"]),
    ],
)
def test_status_has_a_row_for_each_target_whatever_the_others_say(
    monkeypatch: pytest.MonkeyPatch, prod: Callable[[str], Status] | Exception, status: int, said: list[str]
) -> None:
    async def status_of(_: object, __: object, ___: object, target: Target) -> Status:
        if target.name == "staging":
            return state_of(release="of-staging")("staging")
        if isinstance(prod, Exception):
            raise prod
        return prod(target.name)

    monkeypatch.setattr(deploy_commands, "status_of", status_of)
    result = sluice("status")
    assert result.exit_code == status
    assert "of-staging" in result.output
    assert [one for one in said if one not in result.output] == []
    assert sluice("status", "--target", "staging").exit_code == 0


def test_history_shows_each_promotion_and_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    entries: tuple[Entry, ...] = ()
    for at, state, detail in ((0, "planned", ""), (75, "failed", "no room")):
        one = Entry(0, at, "prod", "p1", "sha256:B", "B", state, "Ada", detail=detail)  # type: ignore[arg-type]
        entries = append(entries, one)

    async def history_of(*_: object) -> tuple[Entry, ...]:
        return entries

    monkeypatch.setattr(deploy_commands, "history_of", history_of)
    result = sluice("history", "--target", "prod")
    assert result.exit_code == 0
    said = ("1970-01-01 00:00:00", "0:01:15", "Ada", "failed", "no room", "2 entries", entries[-1].digest[:19])
    assert [part for part in said if part not in result.output] == []


@pytest.mark.parametrize(("state", "status"), [("has", 0), ("short", 0), ("lacks", 1)])
def test_doctor_of_a_target_asks_that_one(monkeypatch: pytest.MonkeyPatch, state: Any, status: int) -> None:
    async def examine_target(target: Target, _: Path) -> list[Finding]:
        return [Finding("kubeconfig", state, f"the one of {target.name}", "make one")]

    monkeypatch.setattr(cli, "examine_target", examine_target)
    result = sluice("doctor", "--target", "prod")
    assert result.exit_code == status
    assert "the one of prod" in result.output


@pytest.mark.parametrize(
    ("action", "gone", "said"),
    [
        ("up --new", [], "the local target is up"),
        ("up", [], "get pods next: ./nox -s deploy -- --cloud local --dry-run"),
        ("down", ["removed the cluster x", "removed the registry x"], "removed the cluster x removed the registry x"),
        ("down", [], "there is no local target"),
    ],
)
def test_the_local_target_says_what_was_done(
    monkeypatch: pytest.MonkeyPatch, action: str, gone: list[str], said: str
) -> None:
    class FakeBox:
        def __init__(self, *_: object) -> None:
            pass

        def check_disk(self, name: str) -> None:
            assert name == "sluice-target"

    class FakeLocal:
        def __init__(self, home: Path, *_: object) -> None:
            self.folder = home / "target"

        async def up(self, *, new: bool) -> None:
            assert new is ("--new" in action)

        async def down(self) -> list[str]:
            return gone

    monkeypatch.setattr(target_command, "Toolbox", FakeBox)
    monkeypatch.setattr(target_command, "LocalTarget", FakeLocal)
    result = sluice("target", *action.split())
    assert result.exit_code == 0
    assert said in words(result)

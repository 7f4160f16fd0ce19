"""`sluice evidence`: a run that was really killed becomes evidence; one that is whole, or at work, is left alone."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.core.support import ENVIRONMENT, FakeProgress
from typer.testing import CliRunner, Result

from sluice.domain import Component, Evidence, Verdict, dump, load
from sluice.entrypoints import cli
from sluice.rebuild import rebuild
from sluice.run import Run

ROOT = Path(__file__).parents[3]
# What a run does up to its suites, and then it is killed: by itself, so that nobody has to wait for the right moment.
KILLED = """
import json, os, signal, sys, time
from pathlib import Path
import anyio
from sluice.domain import Cluster, Component, Image, Images, Source, dump
from sluice.files import append_line
from sluice.judging import Judge
from sluice.policy import load_policy
from sluice.run import Run
from sluice.settings import Settings

class Quiet:
    def begin(self, *_, **__): ...
    def update(self, *_): ...
    def end(self, *_, **__): ...

async def main(home, root):
    run = Run(home, Quiet())
    policy = load_policy(root / "release" / "policy.toml")
    Judge(Settings(), run, policy, kubeconfig=None, dashboards=root, suites=("api", "logs"), components=tuple,
          secrets=tuple).begin()
    run.obtained(Component("kind", "0.30.0", "source", "sha256:1", "/x", 1, 1.0))
    async def source(): return Source(str(root), "abc", True, "sha256:2", ())
    async def images(): return Images((Image("backend", "r/backend", "sha256:3"),))
    async def suites():
        say = lambda **event: append_line(run.folder / "suites.jsonl", json.dumps(event))
        one, two, three = (f"tests/e2e/api/test_a.py::test_{n}" for n in ("passed", "hung", "later"))
        say(event="collected", tests=[one, two, three])
        say(event="started", test=one, at=time.time())
        say(event="finished", test=one, seconds=0.5, outcome="passed", message="", report="")
        say(event="started", test=two, at=time.time())
        say(event="request", test=two, request_id="e2e-1")
        say(event="trace", test=two, trace_id="t1")
        with (run.folder / "suites.jsonl").open("a") as file:
            file.write('{"event": "fini')
        (run.folder / "suites.log").write_text("test_hung \\nconnecting with password=hunter2!\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    await run.step("resolve source", source, deadline_seconds=9)
    await run.step("build images", images, deadline_seconds=9)
    await run.step("run suites", suites, deadline_seconds=9)

anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source tree as far as judging goes, without a cluster, and a run in it that was killed."""
    tree = tmp_path_factory.mktemp("once")
    for folder in ("release", "helm/monitoring/dashboards"):
        shutil.copytree(ROOT / folder, tree / folder)
    command = [sys.executable, "-c", KILLED, str(tree / ".sluice"), str(tree)]
    ended = subprocess.run(command, env=ENVIRONMENT, check=False, timeout=60, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    return tree


@pytest.fixture
def tree(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same for one test."""
    tree = shutil.copytree(once, tmp_path / "tree", symlinks=True)
    monkeypatch.chdir(tree)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tree


@pytest.fixture
def killed(tree: Path) -> Path:
    """The folder of the run that was killed."""
    return (tree / ".sluice" / "latest").resolve()


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["evidence", *arguments])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_killed_run_gets_evidence_a_verdict_and_a_report(killed: Path) -> None:
    assert not (killed / "evidence.json").exists()
    result = sluice()
    assert result.exit_code == 1, result.output
    evidence = load(Evidence, killed / "evidence.json")
    assert evidence.failures[0] == "the run was killed while 'run suites' was under way"
    assert evidence.failures[1].startswith("its cluster is gone: logs and metrics are lost")
    assert [(test.id.rpartition("::")[2], test.outcome) for test in evidence.tests] == [
        ("test_passed", "passed"),
        ("test_hung", "error"),
        ("test_later", "error"),
        ("tests/e2e/logs", "error"),
    ]
    hung = evidence.tests[1]
    assert hung.message.startswith("it was running when the run was killed\ntest_hung")
    assert (hung.request_ids, hung.trace_ids) == (("e2e-1",), ("t1",))
    assert (killed / hung.bundle / "README.txt").is_file()
    assert evidence.tests[3].message.startswith("the suite has no test: the run was killed")
    assert (evidence.revision, evidence.source_digest, evidence.suites) == ("abc", "sha256:2", ("api", "logs"))
    assert [image.digest for image in evidence.images] == ["sha256:3"]
    assert [one.name for one in evidence.components] == ["kind"]
    steps = {step.name: step.outcome for step in evidence.steps}
    assert steps["resolve source"] == "done"
    assert steps["run suites"] == "cancelled"
    assert evidence.started <= evidence.ended
    assert load(Verdict, killed / "verdict.json").level == "fail"
    assert "was killed" in (killed / "report.html").read_text(encoding="utf-8")
    assert "the run was killed while" in result.output
    assert not [name for name, data in contents(killed).items() if b"hunter2" in data]
    assert not (killed / ".reserve").exists()


def test_a_second_time_nothing_is_changed(killed: Path) -> None:
    sluice()
    before = contents(killed)
    result = sluice("--run", str(killed))
    assert result.exit_code == 0
    assert "is whole: it has evidence, verdict and report; nothing was changed" in result.output
    assert contents(killed) == before


def test_evidence_that_is_there_is_not_measured_again(killed: Path) -> None:
    sluice()
    (killed / "report.html").unlink()
    (killed / "verdict.json").unlink()
    before = (killed / "evidence.json").read_bytes()
    assert sluice().exit_code == 1
    assert (killed / "evidence.json").read_bytes() == before
    assert load(Verdict, killed / "verdict.json").level == "fail"
    assert (killed / "report.html").exists()


def test_evidence_that_is_broken_is_gathered_again(killed: Path) -> None:
    sluice()
    whole = load(Evidence, killed / "evidence.json")
    (killed / "evidence.json").write_bytes((killed / "evidence.json").read_bytes()[:100])
    assert sluice().exit_code == 1
    again = load(Evidence, killed / "evidence.json")
    assert ([test.id for test in again.tests], again.ended) == ([test.id for test in whole.tests], whole.ended)


def test_a_run_that_is_at_work_is_left_alone(tree: Path) -> None:
    run = Run(tree / ".sluice", FakeProgress())
    (run.folder / "run.json").write_text("{}")
    result = sluice()
    assert result.exit_code == 2
    assert f"the run {run.id} is at work" in result.output
    assert not (run.folder / "evidence.json").exists()


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_of_no_run_is_told(tree: Path, name: str) -> None:
    result = sluice("--run", name)
    assert result.exit_code == 2
    assert "holds no run" in result.output
    assert "Traceback" not in result.output
    assert not (tree / "nowhere").exists(), "nothing is made there"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run_id": 5}'])
def test_a_record_that_is_not_whole_is_told(killed: Path, content: str) -> None:
    (killed / "run.json").write_text(content)
    result = sluice()
    assert result.exit_code == 2
    assert "run.json is not whole" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", ["steps.jsonl", "suites.jsonl", "components.jsonl", "steps/build-images.json"])
@pytest.mark.parametrize("content", ["", "{\n", "[]\n5\nnull\n", '{"event": "ended", "name": 5}\n'])
def test_records_that_are_broken_lose_what_was_in_them_and_no_more(killed: Path, name: str, content: str) -> None:
    (killed / name).write_text(content)
    remains = rebuild(killed)
    assert remains.source is not None
    assert remains.failure.startswith("the run was killed while ")


def test_a_component_is_noted_when_it_is_obtained(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeProgress())
    one = Component("kind", "1", "source", "sha256:1", "/x", 1, 1.0)
    run.obtained(one)
    assert (run.folder / "components.jsonl").read_bytes() == dump(one, indent=None) + b"\n"


def test_a_lock_goes_with_whoever_held_it(tmp_path: Path) -> None:
    folder = Run(tmp_path, FakeProgress()).folder
    assert Run(tmp_path, FakeProgress(), again=folder).id == folder.name
    assert (tmp_path / "latest").resolve() == folder, "to go on with a run makes it no newer"

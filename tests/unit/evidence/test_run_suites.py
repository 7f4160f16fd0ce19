"""run_suites over small trees of suites: what passes, fails, crashes, hangs, and what is not there."""

import json
import os
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import anyio
import pytest

from sluice.domain import SuiteResults, TestResult
from sluice.rebuild import reports
from sluice.steps.run_suites import ServiceAddress, SuiteContext, run_suites

pytestmark = pytest.mark.anyio

CONTEXT = SuiteContext(
    run_id="run-1",
    kubeconfig="kubeconfig",
    namespace="default",
    services={"backend": ServiceAddress("default", "backend", 8000)},
    prometheus=ServiceAddress("monitoring", "prometheus", 9090),
    alertmanager=ServiceAddress("monitoring", "alertmanager", 9093),
    loki=ServiceAddress("logging", "loki", 3100),
    evidence_dir="evidence",
)


async def run(
    tmp_path: Path, suites: dict[str, str], *, ask: list[str] | None = None, deadline: float = 60
) -> tuple[SuiteResults, dict[str, TestResult], list[str]]:
    """Run suites given by their source; the results by the test's name, and the lines that were told."""
    root, lines = tmp_path / "tree", list[str]()
    for name, source in suites.items():
        folder = root / "tests" / "e2e" / name
        folder.mkdir(parents=True)
        (folder / f"test_{name}.py").write_text(source, encoding="utf-8")
    results = await run_suites(
        root=root,
        context=CONTEXT,
        suites=ask or list(suites),
        evidence_dir=tmp_path / "evidence",
        deadline_seconds=deadline,
        on_line=lines.append,
    )
    return results, {test.id.rpartition("::")[2]: test for test in results.tests}, lines


OUTCOMES = """
import pytest

def test_passes(): pass
def test_fails():
    print("printed by the test")
    assert 1 == 2, "one is not two"
@pytest.fixture
def broken(): raise RuntimeError("no set-up")
def test_errs(broken): pass
@pytest.fixture
def untidy():
    yield
    raise RuntimeError("no teardown")
def test_leaves_a_mess(untidy): pass
def test_is_skipped(): pytest.skip("not today")
"""


async def test_each_test_has_its_outcome_its_window_and_its_cause(tmp_path: Path) -> None:
    before = time.time()
    results, tests, lines = await run(tmp_path, {"api": OUTCOMES, "logs": "def test_other(): pass"})
    assert {name: test.outcome for name, test in tests.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_errs": "error",
        "test_leaves_a_mess": "error",
        "test_is_skipped": "skipped",
        "test_other": "passed",
    }
    assert "one is not two" in tests["test_fails"].message
    assert "no set-up" in tests["test_errs"].message
    assert "no teardown" in tests["test_leaves_a_mess"].message
    assert "not today" in tests["test_is_skipped"].message
    assert (tests["test_passes"].id, tests["test_passes"].suite) == (
        "tests/e2e/api/test_api.py::test_passes",
        "api",
    )
    assert tests["test_other"].suite == "logs"
    assert results.exit_status == 1
    assert before <= results.started <= tests["test_passes"].started <= results.ended <= time.time()
    log = (tmp_path / "evidence" / "suites.log").read_text(encoding="utf-8").splitlines()
    told = [line for line in lines if " of 6 tests, " in line]
    assert told[0] == "1 of 6 tests, api/test_api.py::test_passes passed"
    assert told[-1].startswith("6 of 6 tests, ")
    # What comes after the log's lines is of the tests that were run again.
    assert all(line == said or said in told for line, said in zip(log, lines[: len(log)], strict=True))
    said = {test.rpartition("::")[2]: text for test, text in reports(tmp_path / "evidence").items()}
    assert sorted(said) == ["test_errs", "test_fails", "test_leaves_a_mess"]
    assert "one is not two" in said["test_fails"]
    assert "--- Captured stdout call ---\nprinted by the test" in said["test_fails"]
    junit = ET.parse(tmp_path / "evidence" / "junit.xml").getroot()
    assert len(junit.findall(".//testcase")) >= 6


async def test_a_run_where_all_passes_ends_with_status_0(tmp_path: Path) -> None:
    results, _, _ = await run(tmp_path, {"api": "def test_it(): pass"})
    assert (results.exit_status, [test.outcome for test in results.tests]) == (0, ["passed"])


async def test_the_suites_get_the_context_and_what_they_note_is_kept(tmp_path: Path) -> None:
    source = """
import os
from pathlib import Path
from sluice.domain import load
from sluice.steps.run_suites import SuiteContext
from sluice.suite_recorder import RECORDER

def test_it(request):
    context = load(SuiteContext, Path(os.environ["SLUICE_E2E_CONTEXT"]))
    assert context.services["backend"].port == 8000
    recorder = request.config.pluginmanager.get_plugin(RECORDER)
    recorder.request(request.node.nodeid, context.run_id + "-request")
    recorder.trace(request.node.nodeid, "a" * 32)
    recorder.trace(request.node.nodeid, "a" * 32)
    os._exit(3)
"""
    results, tests, _ = await run(tmp_path, {"api": source})
    assert tests["test_it"].request_ids == ("run-1-request",)
    assert tests["test_it"].trace_ids == ("a" * 32,)
    assert results.exit_status == 3


HANGS = """
import subprocess, sys, time
from pathlib import Path

def test_passes(): pass
def test_hangs():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(__file__).with_name("pids").write_text(f"{child.pid}")
    print("about to hang")
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
def test_never_runs(): pass
"""


async def test_at_the_deadline_everything_is_killed_and_said(tmp_path: Path) -> None:
    started = time.monotonic()
    # Long enough for pytest to start on a busy machine; the hang is told by the record, not by the clock.
    results, tests, lines = await run(tmp_path, {"api": HANGS}, deadline=20)
    assert time.monotonic() - started < 40
    assert results.exit_status == 124
    assert tests["test_passes"].outcome == "passed"
    assert tests["test_hangs"].outcome == "error"
    assert tests["test_hangs"].message.startswith("it was running when the deadline of 20 s for all suites passed")
    assert tests["test_never_runs"].outcome == "error"
    assert tests["test_never_runs"].message.startswith("it did not run: the deadline of 20 s")
    assert "the deadline of 20 s passed; the suites are killed" in lines
    child = int((tmp_path / "tree" / "tests" / "e2e" / "api" / "pids").read_text(encoding="utf-8"))
    await gone(child)
    junit = ET.parse(tmp_path / "evidence" / "junit.xml").getroot()
    assert len(junit.findall(".//testcase/error")) == 2


async def gone(pid: int) -> None:
    """Return once a process has ended; one that init has not collected yet counts as ended."""
    with anyio.fail_after(10):
        while True:
            try:
                stat = await anyio.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
            except (FileNotFoundError, ProcessLookupError):
                return
            if stat.rpartition(")")[2].split()[0] == "Z":
                return
            await anyio.sleep(0.05)


async def written(path: anyio.Path) -> None:
    """Return once a file holds something."""
    while True:
        if await path.exists() and await path.read_text(encoding="utf-8"):
            return
        await anyio.sleep(0.05)


@pytest.mark.parametrize(
    ("death", "status", "said"),
    [("os._exit(7)", 7, "exit status 7"), ("os.kill(os.getpid(), 11)", -11, "Segmentation fault")],
)
async def test_a_crash_of_the_interpreter_is_told_with_the_test_that_ran(
    tmp_path: Path, death: str, status: int, said: str
) -> None:
    source = f"import os\ndef test_first(): pass\ndef test_dies(): {death}\ndef test_after(): pass\n"
    results, tests, _ = await run(tmp_path, {"api": source})
    assert results.exit_status == status
    assert [test.outcome for test in results.tests] == ["passed", "error", "error"]
    assert said in tests["test_dies"].message
    assert tests["test_after"].message.startswith("it did not run: ")


async def test_a_file_that_cannot_be_collected_is_an_error(tmp_path: Path) -> None:
    results, _, _ = await run(tmp_path, {"api": "import nothing_of_that_name\n"})
    assert results.exit_status == 2
    assert [(test.suite, test.outcome) for test in results.tests] == [("api", "error")]
    assert "nothing_of_that_name" in results.tests[0].message


async def test_a_suite_without_tests_or_without_a_folder_is_an_error(tmp_path: Path) -> None:
    results, _, _ = await run(tmp_path, {"api": "x = 1\n"})
    assert [(test.id, test.outcome) for test in results.tests] == [("tests/e2e/api", "error")]
    results, _, _ = await run(tmp_path / "again", {"api": "def test_it(): pass"}, ask=["api", "missing"])
    assert results.exit_status != 0
    assert ("missing", "error") in [(test.suite, test.outcome) for test in results.tests]


async def test_what_an_earlier_run_left_in_the_folder_is_not_taken_for_this_one(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    stale = {"event": "collected", "tests": ["tests/e2e/api/test_api.py::test_of_yesterday"]}
    (evidence / "suites.jsonl").write_text(json.dumps(stale) + "\n", encoding="utf-8")
    _, tests, _ = await run(tmp_path, {"api": "def test_it(): pass"})
    assert list(tests) == ["test_it"]


async def test_pytest_options_of_the_environment_cannot_leave_tests_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing")
    results, _, _ = await run(tmp_path, {"api": "def test_it(): pass"})
    assert [test.outcome for test in results.tests] == ["passed"]


async def test_nothing_is_left_running_when_it_is_cancelled(tmp_path: Path) -> None:
    pids = tmp_path / "tree" / "tests" / "e2e" / "api" / "pids"
    async with anyio.create_task_group() as group:
        group.start_soon(run, tmp_path, {"api": HANGS})
        with anyio.fail_after(30):
            await written(anyio.Path(pids))
        group.cancel_scope.cancel()
    await gone(int(pids.read_text(encoding="utf-8")))


async def test_output_that_a_daemon_holds_open_does_not_hold_the_run(tmp_path: Path) -> None:
    source = """
import subprocess, sys
from pathlib import Path

def test_it(request):
    capture = request.config.pluginmanager.getplugin("capturemanager")
    capture.suspend_global_capture()  # the child gets the pipe itself, not pytest's own file
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    capture.resume_global_capture()
    Path(__file__).with_name("pids").write_text(f"{child.pid}")
"""
    started = time.monotonic()
    results, _, _ = await run(tmp_path, {"api": source})
    assert time.monotonic() - started < 30
    assert [test.outcome for test in results.tests] == ["passed"]
    fled = int((tmp_path / "tree" / "tests" / "e2e" / "api" / "pids").read_text(encoding="utf-8"))
    os.kill(fled, 9)

"""run_suites in several processes: lanes side by side, phases one after another, failed tests again, parts of all."""

from pathlib import Path

import pytest

from sluice.domain import SuiteResults, TestResult
from sluice.steps.run_suites import ServiceAddress, SuiteContext, run_suites
from sluice.steps.suite_plan import ALL, Selection

pytestmark = pytest.mark.anyio

NOWHERE = ServiceAddress("default", "nothing", 1)
CONTEXT = SuiteContext("run-1", "kubeconfig", "default", {}, NOWHERE, NOWHERE, NOWHERE, "evidence")
MARKERS = "import pytest\nfirst, disturbing, beside, once, smoke = map(\n"
MARKERS += "    pytest.mark.__getattr__, ('first', 'disturbing', 'beside', 'once', 'smoke')\n)\n"
CONFTEST = """
def pytest_configure(config):
    for name in ("first", "disturbing", "last", "beside", "once", "smoke"):
        config.addinivalue_line("markers", name)
"""


async def run(
    tmp_path: Path, suites: dict[str, str], selection: Selection = ALL
) -> tuple[SuiteResults, dict[str, TestResult]]:
    root = tmp_path / "tree"
    for name, source in suites.items():
        folder = root / "tests" / "e2e" / name
        folder.mkdir(parents=True)
        (folder / f"test_{name}.py").write_text(MARKERS + source, encoding="utf-8")
    (root / "tests" / "e2e" / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    results = await run_suites(
        root=root, context=CONTEXT, suites=list(suites), evidence_dir=tmp_path / "evidence", deadline_seconds=120,
        on_line=lambda _: None, selection=selection,
    )  # fmt: skip
    return results, {test.id.rpartition("::")[2]: test for test in results.tests}


# Each tells the other that it is there, and ends once it was told: in one process the first would wait in vain.
MEET = """
import pathlib, time
HERE = pathlib.Path(__file__).parents[1]

def meet(mine, other):
    (HERE / mine).touch()
    end = time.monotonic() + 60
    while not (HERE / other).exists():
        assert time.monotonic() < end, f"{other} did not come"
        time.sleep(0.05)
"""


async def test_lanes_go_side_by_side_and_the_next_phase_begins_when_both_have_ended(tmp_path: Path) -> None:
    results, tests = await run(
        tmp_path,
        {
            "alerts": MEET + "@beside\ndef test_one():\n    meet('one', 'two')\n"
            "@disturbing\ndef test_after():\n    assert (HERE / 'one').exists() and (HERE / 'two').exists()\n",
            "logs": MEET + "def test_two():\n    meet('two', 'one')\n",
        },
    )
    assert {name: test.outcome for name, test in tests.items()} == dict.fromkeys(
        ("test_one", "test_two", "test_after"), "passed"
    )
    assert results.exit_status == 0
    after = tests["test_after"].started
    assert all(test.started + test.seconds <= after for name, test in tests.items() if name != "test_after")
    names = {path.name for path in (tmp_path / "evidence").iterdir()}
    assert names == {"suites.log", "suites-beside.log", "suites.jsonl", "suites-context.json", "junit.xml"}
    assert (tmp_path / "evidence" / "junit.xml").read_text(encoding="utf-8").count("<testcase ") == 3


async def test_what_dies_in_one_lane_leaves_the_other_and_what_comes_after_it(tmp_path: Path) -> None:
    results, tests = await run(
        tmp_path,
        {
            "alerts": "import os\n@beside\ndef test_dies(): os._exit(7)\n@beside\ndef test_behind(): pass\n"
            "@disturbing\ndef test_after(): pass\n@disturbing\ndef test_dies_too(): os._exit(8)\n",
            "logs": "@first\ndef test_fails(): assert False\ndef test_other(): pass\n",
        },
    )
    assert {name: test.outcome for name, test in tests.items()} == {
        "test_dies": "error", "test_behind": "error", "test_after": "passed", "test_fails": "failed",
        "test_dies_too": "error", "test_other": "passed",
    }  # fmt: skip
    assert results.exit_status == 7  # worse than a failed test
    assert tests["test_dies_too"].message.startswith("it was running when the suites' process ended with exit status 8")
    assert tests["test_dies"].message.startswith("it was running when the suites' process ended with exit status 7")
    assert tests["test_behind"].message.startswith("it did not run: the suites' process ended with exit status 7")
    # What brought its process down is not run again.
    assert [len(tests[name].attempts) for name in ("test_dies", "test_behind", "test_fails")] == [0, 0, 2]


FLAKY = """
import pathlib
TRIED = pathlib.Path(__file__).with_name("tried")

def test_flaky():
    tried = TRIED.exists()
    TRIED.touch()
    assert tried, "the first time"

def test_passes(): pass

def test_fails(): assert not TRIED.exists(), "every time"

@once
def test_cannot_be_repeated(): assert False

@pytest.fixture
def broken(): raise RuntimeError("no set-up")
def test_errs(broken): pass
"""


async def test_a_failed_test_is_run_again_by_itself_until_it_passes_and_twice_at_most(tmp_path: Path) -> None:
    results, tests = await run(tmp_path, {"logs": FLAKY})
    outcomes = {name: (test.outcome, [one.outcome for one in test.attempts]) for name, test in tests.items()}
    assert outcomes == {
        "test_flaky": ("failed", ["passed"]),
        "test_passes": ("passed", []),
        "test_fails": ("failed", ["failed", "failed"]),
        "test_cannot_be_repeated": ("failed", []),
        "test_errs": ("error", ["error", "error"]),
    }
    assert results.exit_status == 1  # never taken for a plain pass
    first, again = tests["test_flaky"], tests["test_flaky"].attempts[0]
    assert "the first time" in first.message
    assert first.started + first.seconds <= again.started <= results.ended
    assert "every time" in tests["test_fails"].attempts[1].message
    assert "1 failed" in (tmp_path / "evidence" / "suites-again.log").read_text(encoding="utf-8")


async def test_more_failures_than_a_handful_are_no_flakes(tmp_path: Path) -> None:
    source = "@pytest.mark.parametrize('number', range(6))\ndef test_it(number): assert False\n"
    results, _ = await run(tmp_path, {"logs": source})
    assert {(test.outcome, test.attempts) for test in results.tests} == {("failed", ())}


async def test_a_part_of_the_tests_says_that_it_is_one_and_misses_nobody(tmp_path: Path) -> None:
    suites = {"api": "@smoke\ndef test_quick(): pass\ndef test_long(): pass\n", "logs": "def test_other(): pass\n"}
    results, tests = await run(tmp_path, suites, Selection(smoke=True))
    assert (results.partial, results.exit_status) == ("smoke tests only", 0)
    assert {name: test.outcome for name, test in tests.items()} == {"test_quick": "passed"}

"""The folder of a run before it is evidence: masked, JUnit annotated, bounded; what is cut is said."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sluice.domain import TestResult
from sluice.masking import MASK, masker
from sluice.steps.tidy_evidence import Bounds, keep_within, tidy_evidence

BOUNDS = Bounds(file=1_000_000, total=100_000_000)
SECRET = "the-database's-own-key"
JUNIT = f"""<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" tests="3">
<testcase classname="tests.e2e.api.test_a.TestClass" name="test_failed[a::b]" time="1.0">
<properties><property name="request_id" value="e2e-1" /></properties>
<failure message="password=hunter2 &amp; {SECRET}">first
Bearer abcdefghijkl</failure><system-out>said</system-out></testcase>
<testcase classname="tests.e2e.api.test_a" name="test_broken" time="1.0"><error message="x">y</error></testcase>
<testcase classname="tests.e2e.api.test_a" name="test_passed" time="1.0" />
</testsuite></testsuites>"""


def result(name: str, outcome: str, bundle: str = "") -> TestResult:
    found = f"tests/e2e/api/test_a.py::{name}"
    return TestResult(found, "api", outcome, 1000.5, 1.0, trace_ids=("t1",), bundle=bundle)  # type: ignore[arg-type]


TESTS = (
    result("TestClass::test_failed[a::b]", "failed", "failure/tests/one"),
    result("test_broken", "error"),
    result("test_passed", "passed"),
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run-1"
    folder.mkdir()
    return folder


def put(run: Path, name: str, text: str) -> Path:
    path = run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def tidy(run: Path, bounds: Bounds = BOUNDS) -> list[str]:
    return tidy_evidence(run, masker([SECRET]), bounds, TESTS)


def test_junit_says_of_each_failed_test_where_it_is_told_of_and_how_it_is_run_again(run: Path) -> None:
    path = put(run, "junit.xml", JUNIT)
    assert tidy(run) == []
    cases = {case.get("name", ""): case for case in ET.parse(path).getroot().iter("testcase")}
    failed = {one.get("name"): one.get("value") for one in cases["test_failed[a::b]"].iter("property")}
    assert failed["request_id"] == "e2e-1"
    assert failed["replay"] == "./nox -s e2e -- --reuse --suite api"
    assert failed["bundle"] == "failure/tests/one"
    assert failed["trace_id"] == "t1"
    assert "'tests/e2e/api/test_a.py::TestClass::test_failed[a::b]'" in (failed["replay-alone"] or "")
    output = cases["test_failed[a::b]"].findtext("system-out") or ""
    assert output.startswith("said\nrun it again: ./nox -s e2e")
    assert "what was gathered: failure/tests/one/README.txt" in output
    assert "run it again" in (cases["test_broken"].findtext("system-out") or "")
    assert cases["test_passed"].find("properties") is None


def test_junit_is_masked_and_stays_xml_however_often_it_is_done(run: Path) -> None:
    path = put(run, "junit.xml", JUNIT)
    tidy(run)
    once = path.read_bytes()
    assert b"hunter2" not in once
    assert SECRET.encode() not in once
    assert b"abcdefghijkl" not in once
    tidy(run)
    assert path.read_bytes() == once


def test_json_and_its_lines_are_masked_and_can_still_be_read(run: Path) -> None:
    harmless = put(run, "steps/a.json", '{"a":   "b"}')
    one = put(run, "steps/b.json", json.dumps({"x": [f"a {SECRET}"], "api_token": "plain"}))
    lines = put(
        run, "suites.jsonl", json.dumps({"message": f"{SECRET} \n password=hunter2"}) + '\n{"a": "cut secret=h\n'
    )
    tidy(run)
    assert harmless.read_text(encoding="utf-8") == '{"a":   "b"}', "what holds no secret stays byte for byte"
    assert json.loads(one.read_bytes()) == {"x": [f"a {MASK}"], "api_token": MASK}
    first, second = lines.read_text(encoding="utf-8").splitlines()
    assert json.loads(first) == {"message": f"{MASK} \n password={MASK}"}
    assert second == '{"a": "cut secret=***'


@pytest.mark.parametrize("name", ["a.json", "junit.xml"])
def test_what_is_not_whole_is_masked_as_text_and_said(run: Path, name: str) -> None:
    path = put(run, name, f'<testsuite {{"a": "{SECRET}')
    [said] = tidy(run)
    assert said.startswith(f"{name}: it is not whole (")
    assert SECRET not in path.read_text(encoding="utf-8")


def test_what_cannot_be_masked_does_not_stay(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(run, "suites.log", f"a {SECRET}")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    assert tidy(run) == ["suites.log: removed, since it could not be masked: No space left on device"]
    assert not path.exists()


def test_when_a_file_was_written_is_still_known(run: Path) -> None:
    path = put(run, "suites.log", f"a {SECRET}")
    os.utime(path, (1000, 1000))
    tidy(run)
    assert path.stat().st_mtime == 1000


def test_of_a_long_log_the_end_is_kept_in_whole_lines(run: Path) -> None:
    path = put(run, "suites.log", "".join(f"line {number}\n" for number in range(1000)))
    [said] = tidy(run, Bounds(file=95, total=10_000_000))
    kept = path.read_text(encoding="utf-8")
    assert kept.startswith("line 990\n")
    assert kept.endswith("line 999\n")
    assert said == "suites.log: the first 8800 of 8890 bytes"


def test_what_is_needed_least_goes_first_and_what_tells_of_the_failure_stays(run: Path) -> None:
    sizes = {
        "evidence.json": 500,
        "junit.xml": 500,
        "failure/tests/one/README.txt": 500,
        "failure/README.txt": 100,
        "failure/logs/default/a/a.log": 300,
        "logs/helm.log": 200,
        "logs/kind.log": 100,
        "suites.log": 100,
    }
    for name, size in sizes.items():
        put(run, name, "x" * size)
    cut = keep_within(run, sum(sizes.values()) - 250)
    assert [said.partition(":")[0] for said in cut] == ["logs/helm.log", "logs/kind.log"]
    assert cut[0] == "logs/helm.log: removed, 200 bytes: a run keeps at most 2050 in all"
    cut = keep_within(run, 10)
    left = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert left == {"evidence.json", "junit.xml", "failure/tests/one/README.txt", "failure/README.txt"}


def test_a_run_that_fits_loses_nothing(run: Path) -> None:
    put(run, "logs/helm.log", "x" * 100)
    assert keep_within(run, 100) == []
    assert (run / "logs/helm.log").exists()


def test_what_installs_charts_is_none_of_the_evidence(run: Path) -> None:
    path = put(run, "work/values.yaml", f"a: {SECRET}")
    tidy(run)
    assert SECRET in path.read_text(encoding="utf-8"), "it goes when the run ends"

"""`sluice compare`: how runs are named, what is printed, and the exit status."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.report import samples
from typer.testing import CliRunner, Result

from sluice.domain import Evidence, dump
from sluice.entrypoints import cli

OLD, NEW = "20251009T085320Z-0a1b", "20251010T085320Z-9c9d"


def write(evidence: Evidence, memory: object = None) -> Path:
    folder = Path(".sluice/runs") / evidence.run_id
    folder.mkdir(parents=True)
    (folder / "evidence.json").write_bytes(dump(evidence))
    (folder / "verdict.json").write_bytes(dump(samples.verdict(evidence)))
    if memory is not None:
        (folder / "memory.json").write_text(json.dumps(memory))
    return folder


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good run, then one that failed, which is the latest."""
    monkeypatch.chdir(tmp_path)
    write(samples.sound())
    write(replace(samples.broken(), run_id=NEW))
    (tmp_path / ".sluice/latest").symlink_to(Path("runs") / NEW)
    return tmp_path / ".sluice/runs"


def compared(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["compare", *arguments])


@pytest.mark.parametrize(
    "names", [(OLD, NEW), ("0a1b", "9c9d"), ("0a1b", "latest"), (f".sluice/runs/{OLD}", f".sluice/runs/{NEW}")]
)
def test_a_run_has_several_names(names: tuple[str, str]) -> None:
    result = compared(*names)
    assert result.exit_code == 1, result.output
    assert result.output.startswith(f"{NEW} is worse than {OLD}: ")


def test_the_answer_comes_first_and_the_tables_after_it() -> None:
    lines = compared("0a1b", "latest").output.splitlines()
    score = samples.verdict(samples.broken()).score
    assert lines[1] == f"Verdict: pass → fail (100 → {score:.0f} points)."
    assert lines[2].startswith("Failing: the verdict (pass → fail), the run failed (pod default/backend-7d9f4")
    assert "No image and no workload got larger." in lines
    assert any("✗ worse" in line and "test_api.py::test_delete" in line for line in lines)
    assert "What counts as worse:" in lines


def test_what_a_run_said_steers_no_terminal() -> None:
    write(replace(samples.sound(), run_id="20251014T085320Z-cccc", failures=(samples.HOSTILE,)))
    result = compared("0a1b", "cccc")
    assert result.exit_code == 1
    assert result.output.count("<script>alert('x')</script>") >= 2
    assert "\x1b" not in result.output
    assert "\x00" not in result.output


def test_no_worse_is_status_0_and_says_so() -> None:
    result = compared("latest", "0a1b")
    assert result.exit_code == 0
    assert result.output.startswith(f"{OLD} is no worse than {NEW}.\nVerdict: fail → pass")


def test_json_has_the_answer_the_numbers_and_every_change() -> None:
    result = compared("0a1b", "latest", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)["data"]
    found = data["comparison"]
    assert found["schema"] == "sluice.comparison/v1"
    assert data["worse"] is True
    assert data["summary"].startswith(f"{NEW} is worse than {OLD}: ")
    assert found["levels"] == ["pass", "fail"]
    assert {"aspect": "failing", "way": "worse", "kind": "test"}.items() <= found["changes"][2].items()


def test_a_name_that_may_be_two_runs_is_refused() -> None:
    write(replace(samples.sound(), run_id="20251011T085320Z-9c9d"))
    result = compared("0a1b", "9c9d")
    assert result.exit_code == 2
    assert "9c9d may be one of 2 runs" in result.output
    assert NEW in result.output


def test_a_name_of_nothing_is_told_with_the_runs_that_there_are() -> None:
    result = compared("none", "latest")
    assert result.exit_code == 2
    assert "none is no run" in result.output
    assert f"the newest: {NEW}, {OLD}" in result.output
    assert compared("b", "latest").exit_code == 2, "one letter is a slip, no name"


@pytest.mark.parametrize("file", ["evidence.json", "verdict.json"])
@pytest.mark.parametrize("how", ["missing", "truncated", "of another schema"])
def test_what_is_not_whole_is_not_compared(runs: Path, file: str, how: str) -> None:
    path = runs / OLD / file
    text = path.read_text()
    path.unlink()
    if how == "truncated":
        path.write_text(text[: len(text) // 2])
    elif how == "of another schema":
        path.write_text(text.replace("/v1", "/v9", 1))
    result = compared(OLD, NEW)
    assert result.exit_code == 2
    assert file in result.output
    assert "next:" in result.output
    assert "Traceback" not in result.output


def test_a_verdict_of_another_run_is_refused(runs: Path) -> None:
    (runs / OLD / "verdict.json").write_bytes((runs / NEW / "verdict.json").read_bytes())
    result = compared(OLD, NEW)
    assert result.exit_code == 2
    assert "verdict.json is of another run" in result.output


def test_a_run_without_a_test_is_nothing_to_compare_with(runs: Path) -> None:
    empty = replace(samples.sound(), run_id="20251012T085320Z-eeee", tests=(), failures=("no engine",))
    write(empty)
    assert compared("eeee", "0a1b").exit_code == 2
    assert "no test ran" in compared("eeee", "0a1b").output
    assert compared("0a1b", "eeee").exit_code == 1, "but it is worse than one that had tests"


def test_memory_counts_and_a_broken_file_of_it_is_told(runs: Path) -> None:
    def pods(size: float) -> object:
        return {"pods": [{"app": "backend", "name": "b-1", "bytes": size}, {"app": "", "name": "lone", "bytes": 1}]}

    write(replace(samples.sound(), run_id="20251013T085320Z-aaaa"), pods(100e6))
    write(replace(samples.sound(), run_id="20251013T085321Z-bbbb"), pods(300e6))
    result = compared("aaaa", "bbbb")
    assert result.exit_code == 1
    assert "Larger: memory backend (100 MB → 300 MB)." in result.output
    (runs / "20251013T085321Z-bbbb/memory.json").write_text('{"pods": [{}]}')
    broken = compared("aaaa", "bbbb")
    assert broken.exit_code == 2
    assert "memory.json cannot be read" in broken.output


def test_the_help_teaches() -> None:
    text = " ".join(compared("--help").output.split())
    for told in ("RUN_A", "latest", "--json", "0 no worse, 1 worse, 2 could not be compared"):
        assert told in text

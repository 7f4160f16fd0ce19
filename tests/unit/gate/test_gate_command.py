"""`sluice gate` as it is typed: what it reads, what it writes, what it explains."""

import shutil
from pathlib import Path

import pytest
from tests.unit.gate.stored_run import FOLDER
from typer.testing import CliRunner, Result

from sluice.domain import Evidence, Verdict, load
from sluice.entrypoints import cli

STORED = (FOLDER / "verdict.json").read_bytes()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FOLDER, tmp_path / "run")
    (tmp_path / "run" / "verdict.json").unlink()
    return tmp_path / "run"


def gate(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["gate", "--evidence", "run", *arguments], env={"COLUMNS": "150"})


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_is_judged_by_the_policy_beside_its_evidence(run: Path) -> None:
    result = gate()
    assert result.exit_code == 0
    assert "judged by run/policy.toml; verdict: run/verdict.json" in result.output
    assert "WARN  score 65 of 100" in result.output
    assert (run / "verdict.json").read_bytes() == STORED


@pytest.mark.parametrize("arguments", [(), ("--explain",), ("--policy", "other.toml"), ("--overrides", "o.toml")])
def test_a_dry_run_writes_nothing(run: Path, arguments: tuple[str, ...]) -> None:
    (run.parent / "o.toml").write_text('schema = "sluice.overrides/v1"\n', encoding="utf-8")
    (run.parent / "other.toml").write_bytes((run / "policy.toml").read_bytes())
    before = state(run)
    result = gate("--dry-run", *arguments)
    assert "nothing written" in result.output
    assert state(run) == before


def test_another_policy_is_put_beside_the_verdict_that_came_of_it(run: Path) -> None:
    text = (run / "policy.toml").read_text(encoding="utf-8").replace("warn_score = 60", "warn_score = 70")
    (run.parent / "other.toml").write_text(text, encoding="utf-8")
    assert gate("--policy", "other.toml").exit_code == 1
    assert (run / "policy.toml").read_text(encoding="utf-8") == text
    found = (run / "verdict.json").read_bytes()
    assert gate().exit_code == 1
    assert (run / "verdict.json").read_bytes() == found


def test_without_a_policy_beside_it_the_trees_is_taken(run: Path) -> None:
    (run.parent / "release").mkdir()
    (run / "policy.toml").rename(run.parent / "release" / "policy.toml")
    assert "judged by release/policy.toml" in gate().output
    assert (run / "policy.toml").exists(), "so that the verdict can be computed again"


def test_overrides_are_written_down_in_the_evidence(run: Path) -> None:
    entry = '[[override]]\nobjective = "p95-latency"\nwho = "Ada"\nwhy = "w"\nuntil = 2100-01-01T00:00:00Z\n'
    (run.parent / "o.toml").write_text('schema = "sluice.overrides/v1"\n' + entry, encoding="utf-8")
    assert gate("--overrides", "o.toml").exit_code == 1, "of the key objective nobody answers for any more"
    assert [one.objective for one in load(Evidence, run / "evidence.json").overrides] == ["p95-latency"]
    found = (run / "verdict.json").read_bytes()
    gate()
    assert (run / "verdict.json").read_bytes() == found


def test_an_override_that_is_refused_is_told_and_nothing_is_judged(run: Path) -> None:
    entry = '[[override]]\nobjective = "image-size"\nwho = "Ada"\nwhy = "w"\nuntil = 2020-01-01T00:00:00Z\n'
    (run.parent / "o.toml").write_text('schema = "sluice.overrides/v1"\n' + entry, encoding="utf-8")
    before = state(run)
    result = gate("--overrides", "o.toml")
    assert result.exit_code == 2
    assert "2 mistakes" in result.output
    assert state(run) == before


def test_broken_evidence_is_no_verdict(run: Path) -> None:
    whole = (run / "evidence.json").read_bytes()
    (run / "evidence.json").write_bytes(whole[:5000])
    result = gate()
    assert result.exit_code == 2
    assert "run/evidence.json is not whole (Evidence)" in result.output
    assert "Traceback" not in result.output
    assert not (run / "verdict.json").exists()


def test_every_objective_is_explained_with_all_its_numbers(run: Path) -> None:
    lines = [line.rstrip() for line in gate("--explain", "--dry-run").output.splitlines()]
    start = lines.index("p95-latency: pass")
    told = dict(line.strip().split(maxsplit=1) for line in lines[start + 1 : lines.index("", start)])
    assert told["query"] == 'p95{namespace="default"}[95s]'
    assert told["window"] == "1 min 35 s that end at 2025-10-09 08:56:35 UTC"
    assert told["values"] == "100 ms (service=backend), 350 ms (service=sync)"
    assert told["samples"] == "120, at least 50 are needed"
    assert told["soak"] == "at least 1 min 00 s of the run must have been seen"
    assert told["baseline"] == "240 ms, the mean of 5 passed releases"
    assert told["interval"].startswith("166 ms to 334 ms: where one more release like them would lie (bootstrap")
    assert told["limit"].startswith("368 ms: what <= +10 % makes")
    assert told["pass"] == "≤ 500 ms and, against passed releases, <= +10 %"
    assert told["warn"] == "≤ 1 s and, against passed releases, <= +30 %"
    assert told["score"] == "2 of 2: pass earns its whole weight"
    assert "  baseline   200 MB in the last passed release; a size has no noise" in lines
    said = (
        "  override   Ada Lovelace answers for it until 2025-10-09 11:23:20 UTC: two lines of a known cause, ticket 7"
    )
    assert any(line.startswith(said) for line in lines)
    assert "score: 6.5 of 10 = 65 %" in lines


def test_what_was_not_measured_is_explained_too(run: Path) -> None:
    text = (run / "policy.toml").read_text(encoding="utf-8").replace('name = "p95-latency"', 'name = "p99-latency"')
    (run / "policy.toml").write_text(text, encoding="utf-8")
    result = gate("--explain", "--dry-run")
    assert result.exit_code == 1
    assert "0 measurements, expected 1" in result.output
    assert 'query      p95{namespace="…"}[1s]' in result.output


def test_the_table_shows_the_baseline_where_there_is_one(run: Path) -> None:
    lines = gate("--dry-run").output.splitlines()
    head = next(line for line in lines if line.startswith("objective"))
    assert head.split() == ["objective", "level", "value", "baseline", "criterion", "score", "reason"]
    row = next(line for line in lines if line.startswith("p95-latency"))
    assert row.split()[1:8] == ["✓", "pass", "350", "ms", "240", "ms", "≤"]
    assert any("and ≤ +10 %" in line for line in lines)
    assert "Also:" in lines


def test_the_help_teaches(run: Path) -> None:
    told = " ".join(CliRunner().invoke(cli.app, ["gate", "--help"], env={"COLUMNS": "150"}).output.split())
    for word in (
        "byte for byte",
        "--dry-run",
        "--explain",
        "--overrides",
        "release/README.md",
        "0 pass or warn, 1 fail",
    ):
        assert word in told
    assert load(Evidence, run / "evidence.json")
    assert load(Verdict, FOLDER / "verdict.json").level == "warn"

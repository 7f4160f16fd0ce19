"""The loop: each release from a copy of its own, a stop that costs one run, the good release at the end."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from bench.gate_mutants import bench as loop
from bench.gate_mutants import results
from bench.gate_mutants.bench import GOOD, Bench, Task, plan
from bench.gate_mutants.faults import Change, DoesNotFit, Edit
from bench.gate_mutants.judged import Judged
from tests.unit.bench.samples import MUTANT, evidence, objective, run, verdict

POLICY = 'required_suites = ["everything"]\n'


def keep(tree: Path, name: str) -> None:
    """What a run keeps of a release that passed."""
    (tree / ".sluice" / "baselines").mkdir(parents=True, exist_ok=True)
    (tree / ".sluice" / "baselines" / f"{name}.json").write_text("{}")


class StandIn:
    """Runs nothing: notes what it was given, and answers as it is told to."""

    def __init__(self) -> None:
        self.suites: tuple[str, ...] = ("api", "logs")
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.verdicts = {"slow": verdict("fail", objective("p95-latency", "fail")), "quick": verdict("pass")}
        self.passed: list[list[str]] = []
        self.stop = False
        self.checks = Judged("caught", "failed", first="tests/rules/test_x.py::y")

    def run(self, tree: Path, log: Path, *, suites: Sequence[str] = ()) -> Path | None:
        assert 'required_suites = ["api", "logs"]' in (tree / "release" / "policy.toml").read_text()
        content = (tree / "app.py").read_text()
        self.seen.append((content, tuple(suites)))
        if self.stop and content == "slow":
            raise KeyboardInterrupt
        self.passed.append(sorted(path.name for path in (tree / ".sluice").rglob("*.json")))
        status = subprocess.run(
            ["git", "-C", tree, "status", "--porcelain"], capture_output=True, text=True, check=True
        )
        assert status.stdout == ""
        keep(tree, f"run-{len(self.seen)}")
        folder = tree / ".sluice" / "runs" / f"run-{len(self.seen)}"
        return run(folder, evidence(), self.verdicts[content])

    def check(self, tree: Path, log: Path, junit: Path) -> Judged:
        assert (tree / "release" / "policy.toml").read_text() == POLICY
        self.seen.append(("checked", ()))
        return self.checks


@pytest.fixture
def line() -> StandIn:
    return StandIn()


@pytest.fixture
def bench(tmp_path: Path, line: StandIn) -> Bench:
    root = tmp_path / "root"
    (root / "release").mkdir(parents=True)
    (root / "app.py").write_text("quick")
    (root / ".gitignore").write_text(".sluice/\n")
    (root / "release" / "policy.toml").write_text(POLICY)
    return Bench(root, tmp_path / "out", line, say=lambda _: None)


def outcomes(bench: Bench) -> dict[str, str]:
    return {one.name: one.judged.outcome for one in results.read(bench.file)}


def test_each_is_made_of_a_copy_and_the_good_release_ends_it(bench: Bench, line: StandIn) -> None:
    bench.work([Task(GOOD, "healthy"), Task(MUTANT, "mutant")])
    assert line.seen == [("quick", ()), ("slow", ()), ("quick", ("api",))]
    assert outcomes(bench) == {"unchanged": "passed", "slow": "caught"}
    assert (bench.root / "app.py").read_text() == "quick"
    assert (bench.root / "release" / "policy.toml").read_text() == POLICY
    assert (bench.out / "slow" / "run-2" / "verdict.json").is_file()


def test_a_healthy_release_that_passed_is_known_to_the_next_and_a_mutant_is_not(bench: Bench, line: StandIn) -> None:
    line.verdicts["slow"] = verdict("pass")
    bench.work([Task(GOOD, "healthy"), Task(MUTANT, "mutant"), Task(GOOD, "healthy")])
    assert outcomes(bench) == {"slow": "missed", "unchanged": "passed"}
    assert line.passed == [[], ["run-1.json"], ["run-1.json"]]
    bench.begin_anew()
    assert results.read(bench.file) == []
    bench.work([Task(GOOD, "healthy")])
    assert line.passed[-1] == []


def test_on_another_machine_it_goes_on_from_what_was_committed(bench: Bench, tmp_path: Path) -> None:
    healthy = [Task(Change(name, ""), "healthy") for name in ("h0", "h1", "h2", "h3")]
    tasks = [*healthy, Task(MUTANT, "mutant")]
    bench.work([*healthy[2:], Task(MUTANT, "mutant")])
    kept = tmp_path / "kept.jsonl"
    failed = replace(results.read(bench.file)[0], name="h0", judged=Judged("failed", "too slow"))
    results.write(kept, [*results.read(bench.file), failed])
    bench.go_on_from(kept, tasks)
    assert sorted(outcomes(bench)) == ["h2", "h3", "slow"], "it has results of its own"
    other = replace(bench, out=tmp_path / "other")
    other.go_on_from(kept, tasks)
    assert outcomes(other) == {"h3": "passed", "slow": "caught", "h0": "failed"}


def test_after_the_good_release_nothing_is_put_back(bench: Bench, line: StandIn) -> None:
    bench.work([Task(MUTANT, "mutant"), Task(GOOD, "healthy")])
    assert [content for content, _ in line.seen] == ["slow", "quick"]


def test_a_stop_costs_the_run_that_it_stops_and_the_good_release_is_put_back(bench: Bench, line: StandIn) -> None:
    line.stop = True
    with pytest.raises(KeyboardInterrupt):
        bench.work([Task(GOOD, "healthy"), Task(MUTANT, "mutant"), Task(MUTANT, "mutant")])
    assert outcomes(bench) == {"unchanged": "passed"}
    assert line.seen[-1] == ("quick", ("api",))
    assert len(line.seen) == 3


def test_a_check_needs_no_cluster_and_has_to_be_the_expected_one(bench: Bench, line: StandIn) -> None:
    expected = Change("typo", "", (Edit("app.py", "quick", "x"),), ("tests/rules/",), by="checks")
    other = Change("other", "", (Edit("app.py", "quick", "x"),), ("tests/charts/",), by="checks")
    bench.work([Task(expected, "check"), Task(other, "check")])
    assert outcomes(bench) == {"typo": "caught", "other": "caught by chance"}
    assert line.seen == [("checked", ()), ("checked", ())]


def test_drift_ends_the_bench_before_anything_is_deployed(bench: Bench, line: StandIn) -> None:
    (bench.root / "app.py").write_text("another")
    with pytest.raises(DoesNotFit):
        bench.work([Task(GOOD, "healthy"), Task(MUTANT, "mutant")])
    assert line.seen == []


def test_the_seed_gives_the_order_and_healthy_ones_come_first_and_in_between() -> None:
    mutants = [Change(f"m{number}", "") for number in range(20)]
    healthy = [Change(f"h{number}", "") for number in range(10)]
    tasks = plan(mutants, healthy, seed=1)
    assert [task.change.name for task in tasks[: loop.FIRST_HEALTHY]] == ["h0", "h1", "h2"]
    assert sorted(task.change.name for task in tasks) == sorted(one.name for one in (*mutants, *healthy))
    assert tasks == plan(mutants, healthy, seed=1)
    assert tasks != plan(mutants, healthy, seed=2)
    kinds = [task.kind for task in tasks[loop.FIRST_HEALTHY :]]
    assert "healthy" in kinds[:20]
    assert "mutant" in kinds[-10:]

"""Passed releases on disk: which are kept, how many, and what a broken record means."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.gate.samples import DIGEST, EVIDENCE, LATENCY, POLICY, STARTED, instead, measured

from sluice import bootstrap
from sluice.domain import Evidence, Series
from sluice.errors import EvidenceError, PolicyError
from sluice.run import Run
from sluice.settings import Settings
from sluice.standing import FOLDER, Standing, load_baselines, load_standing, metrics_known, record
from sluice.steps.evaluate_gate import evaluate_gate

TREE = Path(__file__).parents[3]


def run(number: int, evidence: Evidence = EVIDENCE) -> Evidence:
    return replace(evidence, run_id=f"run-{number}", ended=STARTED + number)


def kept(home: Path, *runs: Evidence, keep: int = 3) -> list[str]:
    for one in runs:
        record(home, one, evaluate_gate(POLICY, one), keep=keep)
    return [baseline.run_id for baseline in load_baselines(home, 50)]


def test_what_passed_is_kept_without_its_plots(tmp_path: Path) -> None:
    plotted = replace(measured(LATENCY, 0.1), series=(Series({}, ((1.0, 2.0),)),), names=("service=a",))
    evidence = run(1, instead(plotted))
    path = record(tmp_path, evidence, evaluate_gate(POLICY, evidence), keep=3)
    assert path == tmp_path / FOLDER / "run-1.json"
    (baseline,) = load_baselines(tmp_path, 3)
    assert (baseline.run_id, baseline.at, baseline.revision, baseline.digests) == (
        "run-1",
        STARTED + 1,
        EVIDENCE.revision,
        (DIGEST,),
    )
    assert replace(plotted, series=()) in baseline.measurements
    assert {one.objective for one in baseline.measurements} == {one.objective for one in evidence.measurements}


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(instead(measured(LATENCY, 0.7)), id="a run that warned"),
        pytest.param(replace(EVIDENCE, failures=("broken",)), id="a run that failed"),
        pytest.param(replace(EVIDENCE, dirty=True), id="a run of an edited tree, which is no release"),
    ],
)
def test_what_did_not_pass_is_no_baseline(tmp_path: Path, evidence: Evidence) -> None:
    assert record(tmp_path, evidence, evaluate_gate(POLICY, evidence), keep=3) is None
    assert load_baselines(tmp_path, 3) == ()


def test_only_the_newest_are_kept_whatever_their_names(tmp_path: Path) -> None:
    assert kept(tmp_path, run(9), run(10), run(2), run(11)) == ["run-9", "run-10", "run-11"]
    assert [one.run_id for one in load_baselines(tmp_path, 2)] == ["run-10", "run-11"]
    assert [path.suffix for path in (tmp_path / FOLDER).iterdir()] == [".json"] * 3


def test_a_record_that_is_not_whole_is_told_and_not_passed_over(tmp_path: Path) -> None:
    kept(tmp_path, run(1))
    path = tmp_path / FOLDER / "run-1.json"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(EvidenceError, match="the record of a passed release is not whole") as caught:
        load_baselines(tmp_path, 3)
    assert caught.value.next_command == f"rm {path}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "policy.toml").write_bytes(b"# the policy\n")
    return tmp_path


def test_what_stands_when_a_run_begins_is_read_at_once(tree: Path) -> None:
    kept(tree, run(1))
    held = '[[test]]\nid = "t"\nowner = "o"\nreason = "r"\nexpires = 2100-01-01T00:00:00Z\n'
    (tree / "release" / "quarantine.toml").write_text('schema = "sluice.quarantine/v1"\n' + held, encoding="utf-8")
    standing = load_standing(tree, tree, POLICY, now=STARTED)
    assert standing.policy_text == b"# the policy\n"
    assert [one.run_id for one in standing.baselines] == ["run-1"]
    assert ([one.id for one in standing.quarantine], standing.overrides) == (["t"], ())
    assert Standing().baselines == ()


def test_no_run_begins_with_a_quarantine_that_is_over(tree: Path) -> None:
    held = '[[test]]\nid = "t"\nowner = "o"\nreason = "r"\nexpires = 2025-01-01T00:00:00Z\n'
    (tree / "release" / "quarantine.toml").write_text('schema = "sluice.quarantine/v1"\n' + held, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"2025-01-01T00:00:00\+00:00 is over"):
        load_standing(tree, tree, POLICY, now=STARTED)


def test_the_metrics_are_those_of_the_list_and_those_that_rules_record(tree: Path) -> None:
    assert metrics_known(tree) == frozenset(), "a tree without a list: nothing is known, nothing is refused"
    ours = metrics_known(TREE)
    assert {"up", "http_requests_total", "slo:current_burn_rate:ratio"} <= ours
    assert "#" not in {name[0] for name in ours}


class _Silent:
    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None


@pytest.mark.anyio
async def test_a_run_looks_at_all_of_it_before_it_builds_anything(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready(*, may_install: bool) -> None:
        assert may_install

    monkeypatch.setattr(bootstrap, "check_engine", ready)
    (tree / "release" / "policy.toml").write_bytes((TREE / "release" / "policy.toml").read_bytes())
    settings = Settings.model_validate({"run": {"cache": str(tree / "cache"), "disk_floor_gb": 0}})
    (tree / "cache").mkdir()
    (tree / ".sluice").mkdir()
    kept(tree / ".sluice", run(1))
    box = bootstrap.Toolbox(tree, settings, Run(tree / ".sluice", _Silent()), bootstrap.Options())  # type: ignore[arg-type]
    await box.check_host()
    assert [one.run_id for one in box.judge.standing.baselines] == ["run-1"]
    assert box.judge.standing.policy_text == (TREE / "release" / "policy.toml").read_bytes()
    (tree / "release" / "quarantine.toml").write_text('schema = "sluice.quarantine/v2"\n', encoding="utf-8")
    with pytest.raises(PolicyError):
        await box.check_host()

"""A verdict computed again from what lies in its folder, and evidence that is broken: never a pass."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gate.stored_run import FOLDER, evidence, sound

from sluice.domain import Evidence, dump, load
from sluice.errors import EvidenceError
from sluice.policy import load_policy
from sluice.steps.evaluate_gate import evaluate_gate

STORED = (FOLDER / "evidence.json").read_bytes()
POLICY = load_policy(FOLDER / "policy.toml")


def test_a_stored_verdict_is_computed_again_to_the_byte() -> None:
    again = evaluate_gate(POLICY, load(Evidence, FOLDER / "evidence.json"))
    assert dump(again) == (FOLDER / "verdict.json").read_bytes()
    assert (again.level, again.flaky != (), again.quarantined != ()) == ("warn", True, True)
    assert {result.level for result in again.objectives} == {"pass", "warn"}
    assert [result.baselines for result in again.objectives] == [0, 5, 1, 0, 0]


def test_the_stored_evidence_is_what_is_written_of_it_today() -> None:
    assert dump(evidence()) == STORED


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_nothing_of_the_process_is_in_a_verdict(seed: str) -> None:
    """In another process, time zone and order of hashes."""
    code = (
        "import sys; from pathlib import Path; from sluice.domain import Evidence, dump, load\n"
        "from sluice.policy import load_policy; from sluice.steps.evaluate_gate import evaluate_gate\n"
        "folder = Path(sys.argv[1]); policy = load_policy(folder / 'policy.toml')\n"
        "sys.stdout.buffer.write(dump(evaluate_gate(policy, load(Evidence, folder / 'evidence.json'))))"
    )
    environment = os.environ | {
        "PYTHONHASHSEED": seed,
        "TZ": "Pacific/Kiritimati",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    told = subprocess.run([sys.executable, "-c", code, str(FOLDER)], capture_output=True, check=True, env=environment)
    assert told.stdout == (FOLDER / "verdict.json").read_bytes()


@given(st.integers(0, len(STORED) - 2))
def test_truncated_evidence_is_refused_wherever_it_ends(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    path = tmp_path_factory.getbasetemp() / "truncated.json"
    path.write_bytes(STORED[:end])
    with pytest.raises(EvidenceError, match="is not whole"):
        load(Evidence, path)


GIVEN = json.loads(dump(sound()))
# Without these there is nothing that was hidden: no releases to compare with, nobody who answers for anything.
MAY_LACK = {"baselines", "overrides", "quarantine", "partial", "failures", "files", "tables", "cut"}


def test_the_same_run_with_nothing_against_it_passes() -> None:
    assert evaluate_gate(POLICY, sound()).level == "pass"


@pytest.mark.parametrize("key", sorted(set(GIVEN) - MAY_LACK))
def test_evidence_without_a_part_is_refused_or_never_passes(tmp_path: Path, key: str) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps({name: value for name, value in GIVEN.items() if name != key}), encoding="utf-8")
    try:
        verdict = evaluate_gate(POLICY, load(Evidence, path))
    except EvidenceError:
        return
    assert verdict.level != "pass"


@pytest.mark.parametrize("value", [None, "x", [], {}, [None], -1, "NaN"])
@pytest.mark.parametrize("key", ["measurements", "tests", "images", "monitoring", "ended"])
def test_evidence_with_another_part_is_refused_or_never_passes(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(GIVEN | {key: value}), encoding="utf-8")
    try:
        verdict = evaluate_gate(POLICY, load(Evidence, path))
    except EvidenceError:
        return
    assert verdict.level != "pass"

"""docs/schemas: as the dataclasses are, and true of what is written."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.unit.gate.samples import EVIDENCE, LATENCY, POLICY, instead, measured

from sluice import schemas
from sluice.domain import Monitoring, dump
from sluice.steps.evaluate_gate import evaluate_gate

ROOT = Path(__file__).parents[3]
EVIDENCE_FILE, VERDICT_FILE, READINESS_FILE = (
    schemas.FOLDER / f"{name}-v1.schema.json" for name in ("evidence", "verdict", "readiness")
)


def stored(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / place).read_text(encoding="utf-8"))
    return found


def test_the_stored_schemas_are_those_of_the_dataclasses() -> None:
    made = schemas.files()
    assert set(made) == {EVIDENCE_FILE, VERDICT_FILE, READINESS_FILE}
    for place, text in made.items():
        assert (ROOT / place).read_text(encoding="utf-8") == text, "./nox -s schemas writes them anew"


def test_what_is_written_fits_its_schema_with_nan_too() -> None:
    evidence = replace(
        instead(measured(LATENCY, math.nan, math.inf, 0.1)), monitoring=Monitoring(0, 1, clock_skew_seconds=math.nan)
    )
    jsonschema.validate(json.loads(dump(evidence)), stored(EVIDENCE_FILE))
    for one in (evidence, EVIDENCE):
        jsonschema.validate(json.loads(dump(evaluate_gate(POLICY, one))), stored(VERDICT_FILE))


@pytest.mark.parametrize(
    ("key", "value"),
    [("schema", "sluice.verdict/v2"), ("level", "passed"), ("score", "high"), ("objectives", [{"name": "a"}])],
)
def test_what_is_no_verdict_is_refused(key: str, value: object) -> None:
    verdict = json.loads(dump(evaluate_gate(POLICY, EVIDENCE))) | {key: value}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(verdict, stored(VERDICT_FILE))


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    assert schemas.write(tmp_path) == [EVIDENCE_FILE, READINESS_FILE, VERDICT_FILE]
    assert schemas.write(tmp_path) == []
    (tmp_path / VERDICT_FILE).write_text("{}", encoding="utf-8")
    assert schemas.write(tmp_path) == [VERDICT_FILE]

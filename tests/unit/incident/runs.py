"""A run that failed in the night, and what tests make of its folder."""

from dataclasses import replace
from pathlib import Path

from tests.unit.gate.samples import EVIDENCE

from sluice.domain import Evidence, Measurement, StepTiming, TestResult
from sluice.incident.model import Incident
from sluice.incident.window import Window
from sluice.masking import masker
from sluice.steps.read_incident import read_incident

DAY = 86_400.0
START, END = 23.5 * 3600, 25 * 3600.0  # from half past eleven in the night on
FAILED = TestResult("tests/e2e/api/test_a.py::test_a", "api", "failed", START + 60, 30.0, "assert 1 == 2\nmore")
RUN = replace(
    EVIDENCE,
    started=START,
    ended=END,
    tests=(FAILED, replace(FAILED, id="tests/e2e/api/test_b.py::test_b", outcome="passed")),
    steps=(StepTiming("run suites", START, 900.0, "failed", "1 failed"), StepTiming("source", START, 1.0, "done")),
    measurements=(),
    failures=("the suites failed",),
    cut=("failure/logs: removed",),
)


def measured(kind: str, query: str, **given: object) -> Measurement:
    made = Measurement("what", kind, query, "lines", END, 60.0)  # type: ignore[arg-type]
    return replace(made, **given)  # type: ignore[arg-type]


def of(folder: Path, evidence: Evidence = RUN, when: Window | None = None) -> Incident:
    return read_incident(folder, evidence, when or Window(START, END), now=END, mask=masker())


def told(found: Incident, kind: str) -> list[tuple[float, str, str]]:
    return [(one.at - START, one.what, one.where) for one in found.timeline if one.kind == kind]


def write(folder: Path, name: str, text: str) -> None:
    path = folder / "failure" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

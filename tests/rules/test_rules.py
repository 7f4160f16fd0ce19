"""promtool accepts the rules and their tests, and every alert is complete."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from .catalog import MONITORING, Alert, Case, alerts_of, cases_of, lacking, rule_files
from .catalog import test_files as promtool_tests

ALERTS = [alert for path in rule_files() for alert in alerts_of(path.stem, path.read_text(encoding="utf-8"))]
CASES = [case for path in promtool_tests() for case in cases_of(path.stem, path.read_text(encoding="utf-8"))]
COMPLETE = Alert(
    "example",
    "Example",
    {
        "alert": "Example",
        "expr": "up == 0",
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": "Something is wrong",
            "description": "It is {{ $value }}.",
            "runbook_url": "helm/monitoring/runbooks/Example.md",
        },
    },
)
RUNBOOK = "**Meaning.** **Impact.** **First five minutes** **Cure.** **Escalation.**"
BOTH = [Case("example.test", "Example", fires=True), Case("example.test", "Example", fires=False)]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    folder = os.environ.get("SLUICE_BIN", "")
    program = Path(folder) / "promtool"
    if not folder or not program.exists():
        pytest.fail(f"promtool is not in SLUICE_BIN ({folder!r}); run ./nox -s tests, which builds it and sets that")
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_there_are_rules() -> None:
    assert len(ALERTS) >= 8


@pytest.mark.parametrize("path", rule_files(), ids=lambda path: path.stem)
def test_promtool_accepts_the_rules(path: Path) -> None:
    result = promtool("check", "rules", "--lint=all", "--lint-fatal", path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", promtool_tests(), ids=lambda path: path.stem)
def test_the_rules_fire_and_keep_quiet_as_their_tests_say(path: Path) -> None:
    result = promtool("test", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", rule_files(), ids=lambda path: path.stem)
def test_every_rule_file_has_its_test_beside_it(path: Path) -> None:
    test = path.parent / "tests" / f"{path.stem}.test.yaml"
    assert test.exists()
    assert yaml.safe_load(test.read_text(encoding="utf-8"))["rule_files"] == [f"../{path.name}"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_is_complete(alert: Alert) -> None:
    runbook = MONITORING / "runbooks" / f"{alert.name}.md"
    text = runbook.read_text(encoding="utf-8") if runbook.exists() else ""
    assert lacking(alert, CASES, text) == []


def test_no_alert_is_named_twice() -> None:
    """But for those that are generated: one name and one runbook for all objectives (test_slo.py)."""
    names = [alert.name for alert in ALERTS if not alert.file.startswith("slo-")]
    generated = {alert.name for alert in ALERTS if alert.file.startswith("slo-")}
    assert sorted(names) == sorted({*names} - generated)


def test_every_runbook_and_every_case_belongs_to_an_alert() -> None:
    names = {alert.name for alert in ALERTS}
    assert {path.stem for path in (MONITORING / "runbooks").glob("*.md")} == names
    assert {case.alert for case in CASES} == names


def test_the_check_accepts_what_is_complete() -> None:
    assert lacking(COMPLETE, BOTH, RUNBOOK) == []


@pytest.mark.parametrize(
    ("change", "cases", "runbook", "expected"),
    [
        ({}, BOTH[1:], RUNBOOK, "in which it fires"),
        ({}, BOTH[:1], RUNBOOK, "in which it keeps quiet"),
        ({}, BOTH, "**Meaning.**", "section **Cure**"),
        ({"labels": {"severity": "page"}}, BOTH, RUNBOOK, "a label severity"),
        ({"annotations": {}}, BOTH, RUNBOOK, "an annotation summary"),
        ({"annotations": {}}, BOTH, RUNBOOK, "an annotation runbook_url"),
        ({"annotations": {"description": "no number"}}, BOTH, RUNBOOK, "the value in its description"),
    ],
)
def test_the_check_names_what_is_lacking(
    change: dict[str, object], cases: list[Case], runbook: str, expected: str
) -> None:
    alert = Alert("example", "Example", COMPLETE.rule | change)
    assert expected in "\n".join(lacking(alert, cases, runbook))

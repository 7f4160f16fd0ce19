"""promtool accepts the rules and their tests, and every alert is complete."""

from pathlib import Path

import pytest
import yaml

from .catalog import (
    MONITORING,
    Alert,
    Case,
    alerts_of,
    cases_of,
    dashboards,
    lacking,
    log_rule_files,
    rule_files,
    runbook_of,
    seen_twice,
    unannotated,
    unexplained,
    unlabelled,
)
from .catalog import test_files as promtool_tests
from .promtool import promtool

ALERTS = [alert for path in rule_files() for alert in alerts_of(path.stem, path.read_text(encoding="utf-8"))]
LOG_ALERTS = [alert for path in log_rule_files() for alert in alerts_of(path.stem, path.read_text(encoding="utf-8"))]
CASES = [case for path in promtool_tests() for case in cases_of(path.stem, path.read_text(encoding="utf-8"))]
NOT_EVALUATED = "err: "  # promtool's word for a rule that could not be evaluated; what fired wrongly is told otherwise
COMPLETE = Alert(
    "example",
    "Example",
    {
        "alert": "Example",
        "expr": "up == 0",
        "labels": {"severity": "warning", "team": "services"},
        "annotations": {
            "summary": "Something is wrong",
            "description": "It is {{ $value }}.",
            "runbook_url": "helm/monitoring/runbooks/Example.md",
            "dashboard_url": "/d/service-overview?var-service={{ $labels.service }}",
        },
    },
)
UIDS = {"service-overview"}
FIRST = "**First five minutes**\nThis:\n```promql\nup\n```\n"
RUNBOOK = f"**Meaning.** a\n**Impact.** b\n{FIRST}**Cure.** c\n**Escalation.** d\n"
BOTH = [Case("example.test", "Example", fires=True), Case("example.test", "Example", fires=False)]


def test_there_are_as_many_alerts_as_were_promised() -> None:
    assert len(ALERTS) >= 60


@pytest.mark.parametrize("path", rule_files(), ids=lambda path: path.stem)
def test_promtool_accepts_the_rules(path: Path) -> None:
    result = promtool("check", "rules", "--lint=all", "--lint-fatal", path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", rule_files(), ids=lambda path: path.stem)
def test_a_group_has_a_file_of_its_name(path: Path) -> None:
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    assert [group["name"] for group in groups] == [path.stem]


@pytest.mark.parametrize("path", promtool_tests(), ids=lambda path: path.stem)
def test_the_rules_fire_and_keep_quiet_as_their_tests_say(path: Path) -> None:
    result = promtool("test", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", promtool_tests(), ids=lambda path: path.stem)
def test_a_target_that_was_replaced_while_prometheus_was_away_breaks_no_rule(path: Path, tmp_path: Path) -> None:
    """Nobody marks its series as ended: for five minutes all that it told is there twice, but for `instance`."""
    twice = tmp_path / path.name
    twice.write_text(yaml.safe_dump(seen_twice(path)), encoding="utf-8")
    result = promtool("test", "rules", twice)
    assert [line for line in (result.stdout + result.stderr).splitlines() if NOT_EVALUATED in line] == []


@pytest.mark.parametrize("path", rule_files(), ids=lambda path: path.stem)
def test_every_rule_file_has_its_test_beside_it(path: Path) -> None:
    test = path.parent / "tests" / f"{path.stem}.test.yaml"
    assert test.exists()
    assert yaml.safe_load(test.read_text(encoding="utf-8"))["rule_files"] == [f"../{path.name}"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_is_complete(alert: Alert) -> None:
    assert lacking(alert, CASES, runbook_of(alert.name), dashboards()) == []


@pytest.mark.parametrize("alert", LOG_ALERTS, ids=lambda alert: alert.name)
def test_every_alert_on_logs_has_labels_annotations_and_a_runbook(alert: Alert) -> None:
    """Its cases are not promtool's: the suite `logs` has them."""
    found = unlabelled(alert) + unannotated(alert, dashboards()) + unexplained(alert.name, runbook_of(alert.name))
    assert found == []


def test_no_alert_is_named_twice() -> None:
    """But for those that are generated: one name and one runbook for all objectives (test_slo.py)."""
    names = [alert.name for alert in ALERTS if not alert.file.startswith("slo-")]
    generated = {alert.name for alert in ALERTS if alert.file.startswith("slo-")}
    assert sorted(names) == sorted({*names} - generated)


def test_every_runbook_and_every_case_belongs_to_an_alert() -> None:
    names, on_logs = {alert.name for alert in ALERTS}, {alert.name for alert in LOG_ALERTS}
    assert {path.stem for path in (MONITORING / "runbooks").glob("*.md")} == names | on_logs
    assert {case.alert for case in CASES} == names


def test_the_check_accepts_what_is_complete() -> None:
    assert lacking(COMPLETE, BOTH, RUNBOOK, UIDS) == []


@pytest.mark.parametrize(
    ("change", "cases", "runbook", "expected"),
    [
        ({}, BOTH[1:], RUNBOOK, "in which it fires"),
        ({}, BOTH[:1], RUNBOOK, "in which it keeps quiet"),
        ({}, BOTH, RUNBOOK.replace("**Cure.** c", ""), "section **Cure**"),
        ({}, BOTH, RUNBOOK.replace("**Cure.** c", "**Cure.**"), "section **Cure**"),
        ({}, BOTH, RUNBOOK.replace("```", ""), "a fenced block"),
        ({}, BOTH, RUNBOOK.replace(FIRST, "**First five minutes** think") + FIRST[23:], "a fenced block"),
        ({"labels": {"severity": "page", "team": "services"}}, BOTH, RUNBOOK, "a label severity"),
        ({"labels": {"severity": "warning"}}, BOTH, RUNBOOK, "a label team"),
        ({"labels": {"severity": "warning", "team": "backend"}}, BOTH, RUNBOOK, "a label team"),
        ({"annotations": {}}, BOTH, RUNBOOK, "an annotation summary"),
        ({"annotations": {}}, BOTH, RUNBOOK, "an annotation runbook_url"),
        ({"annotations": {}}, BOTH, RUNBOOK, "an annotation dashboard_url"),
        ({"annotations": {"dashboard_url": "/d/no-such-one?a=b"}}, BOTH, RUNBOOK, "an annotation dashboard_url"),
        ({"annotations": {"dashboard_url": "/d/service-overview x"}}, BOTH, RUNBOOK, "an annotation dashboard_url"),
        ({"annotations": {"description": "no number"}}, BOTH, RUNBOOK, "the value in its description"),
    ],
)
def test_the_check_names_what_is_lacking(
    change: dict[str, object], cases: list[Case], runbook: str, expected: str
) -> None:
    alert = Alert("example", "Example", COMPLETE.rule | change)
    assert expected in "\n".join(lacking(alert, cases, runbook, UIDS))

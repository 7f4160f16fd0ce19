"""Every log alert is complete; that it fires and keeps quiet, a real Loki shows (tests/contract/loki)."""

from pathlib import Path

import pytest
import yaml

from .catalog import Alert, dashboards, lacking, log_rule_files, runbook_of
from .log_rules import as_cases, log_alerts, log_cases

CASES = as_cases(log_cases())


@pytest.mark.parametrize("path", log_rule_files(), ids=lambda path: path.stem)
def test_a_rule_file_has_one_group_of_its_name_and_its_test_beside_it(path: Path) -> None:
    (group,) = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    assert group["name"] == path.stem
    test = path.parent / "tests" / f"{path.stem}.test.yaml"
    assert yaml.safe_load(test.read_text(encoding="utf-8"))["rule_file"] == path.name


@pytest.mark.parametrize("alert", log_alerts(), ids=lambda alert: alert.name)
def test_every_log_alert_is_complete(alert: Alert) -> None:
    assert lacking(alert, CASES, runbook_of(alert.name), dashboards()) == []


@pytest.mark.parametrize("alert", log_alerts(), ids=lambda alert: alert.name)
def test_a_log_alert_leads_to_the_lines(alert: Alert) -> None:
    address = "/d/application-logs?var-namespace={{ $labels.namespace }}&var-service={{ $labels.service }}"
    assert alert.rule["annotations"]["dashboard_url"] == address


def test_every_case_belongs_to_an_alert_of_its_file() -> None:
    alerts = {(alert.file, alert.name) for alert in log_alerts()}
    assert len(alerts) >= 5
    assert {(case.file, case.alert) for case in log_cases()} == alerts

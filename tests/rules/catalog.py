"""Reads the rule files and their promtool tests, and names what an alert lacks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
MONITORING = REPOSITORY / "helm" / "monitoring"
ALWAYS_FIRES = {"Watchdog"}  # its silence cannot be brought about by any data, which is its purpose
SEVERITIES = {"critical", "warning", "info", "none"}
SECTIONS = ("Meaning", "Impact", "First five minutes", "Cure", "Escalation")


@dataclass(frozen=True)
class Alert:
    """One alerting rule and the stem of its file's name."""

    file: str
    name: str
    rule: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One expectation of a promtool test: the alert fires, or it keeps quiet."""

    file: str
    alert: str
    fires: bool


def rule_files() -> list[Path]:
    """The rule files of the monitoring chart."""
    return sorted((MONITORING / "rules").glob("*.yaml"))


def test_files() -> list[Path]:
    """The promtool tests beside them."""
    return sorted((MONITORING / "rules" / "tests").glob("*.test.yaml"))


def alerts_of(stem: str, text: str) -> Iterator[Alert]:
    """The alerts of a rule file's text."""
    for group in yaml.safe_load(text)["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                yield Alert(stem, rule["alert"], rule)


def cases_of(stem: str, text: str) -> Iterator[Case]:
    """The cases of a promtool test's text."""
    for test in yaml.safe_load(text)["tests"]:
        for case in test.get("alert_rule_test", ()):
            yield Case(stem, case["alertname"], bool(case.get("exp_alerts")))


def lacking(alert: Alert, cases: list[Case], runbook: str) -> list[str]:
    """What an alert lacks: cases, label, annotations, sections of its runbook, whose text may be empty."""
    annotations = alert.rule.get("annotations", {})
    missing: list[str] = []
    own = [case.fires for case in cases if case.alert == alert.name]
    if True not in own:
        missing.append("a test case in which it fires")
    if False not in own and alert.name not in ALWAYS_FIRES:
        missing.append("a test case in which it keeps quiet")
    if alert.rule.get("labels", {}).get("severity") not in SEVERITIES:
        missing.append(f"a label severity, one of {', '.join(sorted(SEVERITIES))}")
    missing += [f"an annotation {name}" for name in ("summary", "description") if not annotations.get(name)]
    if not re.search(r"\$value\b", annotations.get("description", "")):
        missing.append("the value in its description: {{ $value }}")
    address = f"helm/monitoring/runbooks/{alert.name}.md"
    if annotations.get("runbook_url") != address:
        missing.append(f"an annotation runbook_url: {address}")
    missing += [f"a section **{name}** in {address}" for name in SECTIONS if f"**{name}" not in runbook]
    return missing

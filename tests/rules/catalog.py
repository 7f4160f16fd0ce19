"""Reads the rule files and their promtool tests, and names what an alert lacks."""

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .runbooks import SECTIONS, blocks, sections

REPOSITORY = Path(__file__).parents[2]
MONITORING = REPOSITORY / "helm" / "monitoring"
ALWAYS_FIRES = {"Watchdog"}  # its silence cannot be brought about by any data, which is its purpose
SEVERITIES = {"critical", "warning", "info", "none"}
TEAMS = {"services", "platform"}


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


def log_rule_files() -> list[Path]:
    """The rule files of Loki's ruler: other queries and other tests, and the same runbooks."""
    return sorted((REPOSITORY / "helm" / "logging" / "rules").glob("*.yaml"))


@cache
def dashboards() -> frozenset[str]:
    """The uids of the chart's dashboards."""
    files = (MONITORING / "dashboards").glob("*.json")
    return frozenset(json.loads(path.read_text(encoding="utf-8"))["uid"] for path in files)


def runbook_of(name: str) -> str:
    """The text of an alert's runbook, empty where there is none."""
    path = MONITORING / "runbooks" / f"{name}.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""


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


def seen_twice(path: Path) -> dict[str, Any]:
    """A promtool test in which every target has been there twice, under two addresses, and its cases with it."""
    written: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    written["rule_files"] = [str((path.parent / name).resolve()) for name in written["rule_files"]]
    for test in written["tests"]:
        test["input_series"] = [
            {"series": elsewhere(one["series"], instance), "values": one["values"]}
            for one in test.get("input_series", ())
            for instance in ("before", "after")
            if ":" not in one["series"].partition("{")[0] or instance == "after"  # a rule's own result is there once
        ]
    return written


def elsewhere(series: str, instance: str) -> str:
    """A series of the text format with this label `instance`, in place of its own if it has one."""
    name, _, labels = re.sub(r',?\s*instance="[^"]*"', "", series).rstrip("} ").partition("{")
    return f'{name}{{instance="{instance}"{"," if labels.strip(", ") else ""}{labels.strip(", ")}}}'


def lacking(alert: Alert, cases: list[Case], runbook: str, uids: Set[str]) -> list[str]:
    """What an alert lacks: cases, labels, annotations, sections of its runbook; `uids` are the known dashboards."""
    own = [case.fires for case in cases if case.alert == alert.name]
    missing: list[str] = []
    if True not in own:
        missing.append("a test case in which it fires")
    if False not in own and alert.name not in ALWAYS_FIRES:
        missing.append("a test case in which it keeps quiet")
    return missing + unlabelled(alert) + unannotated(alert, uids) + unexplained(alert.name, runbook)


def unlabelled(alert: Alert) -> list[str]:
    """Which of the labels that it is routed by an alert lacks."""
    labels = alert.rule.get("labels", {})
    known = {"severity": SEVERITIES, "team": TEAMS}
    return [
        f"a label {name}, one of {', '.join(sorted(values))}"
        for name, values in known.items()
        if labels.get(name) not in values
    ]


def unannotated(alert: Alert, uids: Set[str]) -> list[str]:
    """Which annotations an alert lacks, or has and not as they should be."""
    annotations = alert.rule.get("annotations", {})
    missing = [f"an annotation {name}" for name in ("summary", "description") if not annotations.get(name)]
    if not re.search(r"\$value\b", annotations.get("description", "")):
        missing.append("the value in its description: {{ $value }}")
    address = f"helm/monitoring/runbooks/{alert.name}.md"
    if annotations.get("runbook_url") != address:
        missing.append(f"an annotation runbook_url: {address}")
    linked = re.fullmatch(r"/d/([\w-]+)(\?\S.*)?", annotations.get("dashboard_url", ""))
    if not linked or linked[1] not in uids:
        missing.append(f"an annotation dashboard_url: /d/<one of {', '.join(sorted(uids))}>?…")
    return missing


def unexplained(name: str, runbook: str) -> list[str]:
    """Which sections the runbook of an alert lacks."""
    address = f"helm/monitoring/runbooks/{name}.md"
    found = sections(runbook)
    missing = [f"a section **{section}** in {address}" for section in SECTIONS if not found.get(section, "").strip()]
    if not any(block.section == "First five minutes" for block in blocks(runbook)):
        missing.append(f"a fenced block promql, logql or sh under **First five minutes** in {address}")
    return missing

"""Reads the rules of helm/logging and their tests; tests/contract/loki runs these in a real Loki."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .catalog import REPOSITORY, Alert, Case, alerts_of, log_rule_files

LOG_RULES = REPOSITORY / "helm" / "logging" / "rules"


@dataclass(frozen=True)
class LogCase:
    """Lines, and the labels of the alerts that come of them; none: the alert keeps quiet."""

    file: str
    alert: str
    fires: list[dict[str, str]]
    lines: list[dict[str, Any]]


def log_test_files() -> list[Path]:
    """The tests beside them."""
    return sorted((LOG_RULES / "tests").glob("*.test.yaml"))


def log_alerts() -> list[Alert]:
    """Their alerts."""
    return [alert for path in log_rule_files() for alert in alerts_of(path.stem, path.read_text(encoding="utf-8"))]


def log_cases() -> list[LogCase]:
    """The cases of the tests beside them."""
    return [
        LogCase(path.name.removesuffix(".test.yaml"), **case)
        for path in log_test_files()
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    ]


def as_cases(cases: list[LogCase]) -> list[Case]:
    """What the catalog asks of them: whether an alert fires."""
    return [Case(case.file, case.alert, bool(case.fires)) for case in cases]

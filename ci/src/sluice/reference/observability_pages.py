"""The pages of alerts and dashboards: read from the charts' rules and from the dashboards' JSON."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sluice.dashboards import FOLDER, Dashboard, load_dashboards
from sluice.reference.markdown import code, page, section, short, table

RULES = (Path("helm/monitoring/rules"), Path("helm/logging/rules"))
OF_OBJECTIVES = "slo-"  # files that ./nox -s slo makes
_LABEL = re.compile(r"\{\{\s*\$labels\.(\w+)\s*\}\}")
_LONGEST = 160
# The C loader, where there is one: these are thousands of lines.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Rule = dict[str, Any]


def rules(root: Path) -> Iterator[tuple[Path, Rule]]:
    """Every rule of the charts with its file, in the files' order; what `record` or `alert` names."""
    for folder in RULES:
        for path in sorted((root / folder).glob("*.yaml")):
            # The loader is a safe one.
            given = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
            for group in given["groups"]:
                yield from ((path.relative_to(root), rule) for rule in group["rules"])


def alerts_page(root: Path) -> str:
    """Return the page of alerts."""
    own: dict[Path, list[Rule]] = {}
    of_objectives: dict[tuple[str, str, str], list[Rule]] = {}
    for path, rule in rules(root):
        if "alert" not in rule:
            continue
        labels = rule["labels"]
        if path.name.startswith(OF_OBJECTIVES):
            of_objectives.setdefault((rule["alert"], labels["severity"], labels["window"]), []).append(rule)
        else:
            own.setdefault(path, []).append(rule)
    heads = ("alert", "severity", "team", "for", "summary", "expression")
    return page(
        "Alerts",
        "helm/monitoring/rules and helm/logging/rules",
        "Each alert leads to its runbook. Who is told of which: [alerting.md](../alerting.md). Expressions are cut"
        " where they are long; the file has all of it.",
        *(section(path.stem, f"`{path}`", table(heads, map(_alert, found))) for path, found in own.items()),
        section(
            "Error budgets",
            "Made by `./nox -s slo` for each objective of `services/*/slo.yaml`; [slo.md](../slo.md) explains them.",
            table(
                ("alert", "severity", "window", "summary", "objectives"),
                (_of_objective(key, found) for key, found in sorted(of_objectives.items())),
            ),
        ),
    )


def dashboards_page(root: Path) -> str:
    """Return the page of dashboards and their panels."""
    return page(
        "Dashboards",
        FOLDER,
        "Every panel, and what it shows. The report of a run draws them too.",
        *(_dashboard(one) for one in load_dashboards(root / FOLDER)),
    )


def expression(rule: Rule) -> str:
    """Return a rule's expression on one line, without comments and no longer than a table bears."""
    lines = (line for line in rule["expr"].splitlines() if not line.lstrip().startswith("#"))
    return code(short(" ".join(lines), _LONGEST))


def _alert(rule: Rule) -> tuple[str, ...]:
    labels = rule["labels"]
    return _name(rule), labels["severity"], labels["team"], rule.get("for", ""), _summary(rule), expression(rule)


def _of_objective(key: tuple[str, str, str], found: list[Rule]) -> tuple[str, ...]:
    _, severity, window = key
    labels = [rule["labels"] for rule in found]
    told = _summary(found[0]).replace(labels[0]["slo"], "<objective>").replace(labels[0]["service"], "<service>")
    return _name(found[0]), severity, window, told, str(len({(one["service"], one["slo"]) for one in labels}))


def _name(rule: Rule) -> str:
    return f"[{rule['alert']}](../../{rule['annotations']['runbook_url']})"


def _summary(rule: Rule) -> str:
    return _LABEL.sub(r"<\1>", rule["annotations"]["summary"])


def _dashboard(one: Dashboard) -> str:
    chosen = ", ".join(code(f"${variable.name}") for variable in one.variables if variable.kind != "datasource")
    rows = [
        (
            panel.row,
            panel.title,
            panel.description,
            panel.unit,
            ", ".join(f"{limit:g}" for limit in panel.limits),
            ", ".join(f"[{Path(link.url).stem}](../../{link.url})" for link in panel.links),
        )
        for panel in one.panels
    ]
    return section(
        one.title,
        f"{one.description} `/d/{one.uid}`, chosen by {chosen}.",
        table(("row", "panel", "shows", "unit", "limits", "runbooks"), rows),
    )

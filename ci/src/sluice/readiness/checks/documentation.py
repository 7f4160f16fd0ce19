"""Checks of the section documentation."""

import re
from collections.abc import Iterable

from sluice.readiness.catalog import PAGE
from sluice.readiness.model import Found
from sluice.readiness.snapshot import Snapshot
from sluice.readiness.workloads import alerts, each

RUNBOOKS = "helm/monitoring/runbooks"
# What has to be said somewhere below docs/, by a word in a heading of a page.
_GUIDES = {
    "deploying": r"promot|deploy",
    "rolling back": r"roll.?back|go back",
    "an incident": r"incident",
    "scaling": r"scal",
    "recovering from a disaster": r"disaster|recover|restor",
    "troubleshooting": r"troubleshoot|symptom",
}
_HEADING = re.compile(r"^#{1,3} +(.+)$", re.MULTILINE)
_SHORTEST = 300  # characters: less is a place where a runbook should be


def runbooks(snapshot: Snapshot) -> Found:
    """Every alert of the charts has its page of the runbooks, and there is something on it."""
    # Those on error budgets share a page: the annotation says which.
    pages = {
        name: str((rule.get("annotations") or {}).get("runbook_url", "")).rpartition("/")[2]
        for name, rule in alerts(snapshot.charts)
    }

    def fault(name: str) -> str:
        text = snapshot.tree.pages.get(f"{RUNBOOKS}/{pages[name]}")
        if text is None:
            return f"no page {RUNBOOKS}/{pages[name] or f'{name}.md'}"
        return "" if len(text) >= _SHORTEST else f"{pages[name]} says nothing"

    return each("alert", ((name, name) for name in sorted(pages)), fault)


def guides(snapshot: Snapshot) -> Found:
    """There is a page on each thing that operators do."""
    headings = [
        heading
        for path, text in snapshot.tree.pages.items()
        if path.startswith("docs/") and "/decisions/" not in path and "/reference/" not in path and path != str(PAGE)
        for heading in _HEADING.findall(text)
    ]

    def fault(words: str) -> str:
        return "" if _any(words, headings) else "no page of docs/ has a heading on it"

    return each("thing that operators do", _GUIDES.items(), fault)


def of_target(snapshot: Snapshot) -> Found:
    """A page shows the commands for this very target."""
    target = snapshot.target
    wanted = re.compile(rf"--(cloud|target) ({re.escape(target.name)}|{re.escape(target.cloud)})\b")
    pages = [path for path, text in snapshot.tree.pages.items() if path.startswith("docs/") and wanted.search(text)]
    wrong = () if pages else (f"no page of docs/ shows a command with --target {target.name}",)
    return Found(f"pages: {len(pages)}", wrong)


def described(snapshot: Snapshot) -> Found:
    """The target's file says what it is."""
    target = snapshot.target
    return Found(f"targets/{target.name}.toml", () if target.description else ("no description",))


def _any(words: str, texts: Iterable[str]) -> bool:
    return any(re.search(words, text, re.IGNORECASE) for text in texts)


CHECKS = {
    "documentation.runbooks": runbooks,
    "documentation.guides": guides,
    "documentation.of-target": of_target,
    "documentation.described": described,
}

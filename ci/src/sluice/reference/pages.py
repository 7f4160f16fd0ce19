"""docs/reference: every page by its place, written or compared with what is there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from sluice.errors import ReferencePageError
from sluice.generated import differences, write_files
from sluice.readiness.catalog import PAGE
from sluice.reference.catalog_page import components_page
from sluice.reference.commands_pages import sessions_page, statuses_page
from sluice.reference.dagger_page import dagger_page
from sluice.reference.markdown import COMMAND
from sluice.reference.metrics_page import metrics_page
from sluice.reference.observability_pages import alerts_page, dashboards_page
from sluice.reference.promotion_pages import policy_page, targets_page
from sluice.reference.readiness_page import readiness_page
from sluice.reference.settings_page import settings_page

FOLDER = Path("docs/reference")
MAIN = "Sluice"  # the Dagger module's own object


def pages(root: Path, group: TyperGroup, objects: Mapping[str, Any]) -> dict[Path, str]:
    """Return the text of every page of a tree by its path from the root.

    `group` is the command line, `objects` are those of the Dagger module. Raises ReferencePageError where something
    says nowhere what it means.
    """
    made = {
        "settings": settings_page(),
        "sessions": sessions_page(root, group),
        "exit-statuses": statuses_page(group),
        "dagger": dagger_page(objects, MAIN),
        "metrics": metrics_page(root),
        "alerts": alerts_page(root),
        "dashboards": dashboards_page(root),
        "components": components_page(root),
        "policy": policy_page(),
        "targets": targets_page(),
    }
    return {FOLDER / f"{name}.md": text for name, text in made.items()} | {PAGE: readiness_page()}


def write(root: Path, made: Mapping[Path, str]) -> list[Path]:
    """Write what differs, remove pages that nothing makes any more, and return those paths."""
    return write_files(root, made, _there(root))


def check(root: Path, made: Mapping[Path, str]) -> int:
    """Return how many pages are as they are made. Raises ReferencePageError that names each that is not, and where."""
    mistakes = differences(root, made, _there(root))
    if mistakes:
        raise ReferencePageError(
            "pages of the reference are not what they are made of",
            mistakes,
            expected="no change by hand, and none of the code or data without making the pages anew",
            next_command=COMMAND,
        )
    return len(made)


def _there(root: Path) -> list[Path]:
    return [path.relative_to(root) for path in (root / FOLDER).glob("*.md")]

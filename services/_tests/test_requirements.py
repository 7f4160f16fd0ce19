"""What the services import is named in requirements.in: what comes with something else may go with it, too."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions

from testkit.services import SERVICES


def imported() -> set[str]:
    """Return the top-level names of all that is imported and is neither Python's nor ours."""
    found: set[str] = set()
    for file in SERVICES.glob("*/src/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    ours = {path.name for path in SERVICES.glob("*/src/*")}
    return {name.partition(".")[0] for name in found} - set(sys.stdlib_module_names) - ours


def named() -> set[str]:
    """Return the packages that requirements.in names, as PEP 503 spells them."""
    lines = (SERVICES / "requirements.in").read_text().splitlines()
    return {spelt(re.split(r"[\[<>=~! ]", line)[0]) for line in lines if line and not line.startswith("#")}


def spelt(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_is_imported_is_named() -> None:
    distributions = packages_distributions()
    missing = {name for name in imported() if not {spelt(one) for one in distributions[name]} & named()}
    assert imported(), "nothing was looked at"
    assert missing == set()

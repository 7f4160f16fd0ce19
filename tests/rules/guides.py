"""What of the operators' pages can be run against a cluster without changing it: the suite `alerts` does so."""

from pathlib import Path

from tests.unit.docs.pages import Page

from .catalog import REPOSITORY
from .runbooks import Block, changing

GUIDES = sorted(
    path
    for pattern in ("how-to/start-*.md", "runbooks/*.md", "troubleshooting.md")
    for path in (REPOSITORY / "docs").glob(pattern)
)


def reading(path: Path) -> list[Block]:
    """The queries of a page, and each line of kubectl's that only reads; what needs a fault to succeed is left out."""
    found = []
    for block in Page(path.name, path.read_text(encoding="utf-8")).blocks:
        if block.info in ("promql", "logql"):
            found.append(Block("", block.info, block.text.strip()))
        elif block.info == "sh":
            lines = [line.partition(" #")[0].strip() for line in block.text.splitlines()]
            found += [Block("", "sh", line) for line in lines if line.startswith("kubectl ") and not changing(line)]
    return found

"""Pages in Markdown: a head that says what they are made of, tables, and texts that stay what they are in a cell."""

import re
import textwrap
from collections.abc import Iterable, Sequence

COMMAND = "./nox -s reference"
_CODE = re.compile(r"(`[^`]*`)")


def page(title: str, sources: str, intro: str, *parts: str) -> str:
    """Return a page's text; `sources` are what to change instead of it."""
    head = f"<!-- Made by {COMMAND} from {sources}: change those. -->\n# {title}"
    told = textwrap.fill(intro, 120, break_long_words=False, break_on_hyphens=False)
    return "\n\n".join(part.rstrip("\n") for part in (head, told, *parts) if part) + "\n"


def section(title: str, *parts: str, level: int = 2) -> str:
    """Return a part of a page under a heading of its own."""
    return "\n\n".join(part for part in (f"{'#' * level} {title}", *parts) if part)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; empty text where there is no row. Columns that are empty in each row are left out."""
    told = [[cell(one) for one in row] for row in rows]
    kept = [number for number in range(len(heads)) if any(row[number] for row in told)]
    if not told:
        return ""
    lines = [
        [heads[number] for number in kept],
        ["---"] * len(kept),
        *([row[number] for number in kept] for row in told),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """Return a text as one line for a table; outside of code, `<` and the `*` of a path are no markup."""
    parts = _CODE.split(" ".join(text.split()).replace("|", "\\|"))
    return "".join(part if part.startswith("`") and len(part) > 1 else plain(part) for part in parts)


def plain(text: str) -> str:
    """Return a text in which a tag or a path with a star is what it is."""
    return re.sub(r"(?<=/)\*|\*(?=[/.])", r"\\*", text.replace("<", "&lt;"))


def code(text: str) -> str:
    """Return a text as code, on one line; empty stays empty."""
    told = " ".join(text.split())
    fence = "``" if "`" in told else "`"
    return f"{fence}{told}{fence}" if told else ""


def short(text: str, most: int) -> str:
    """Return a text of `most` characters at most, on one line."""
    told = " ".join(text.split())
    return told if len(told) <= most else told[: most - 1].rstrip() + "…"

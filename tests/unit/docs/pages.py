"""Markdown as these tests need it: the repository's pages, what in them is code, links, headings, diagrams.

The parts of CommonMark and of GitHub's anchors that our pages use: https://spec.commonmark.org/0.31.2/
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Made by tools or by others, and templates of pages that stand elsewhere once they are written.
_LEFT_OUT = {"node_modules", "__pycache__", "template"}

_FENCE = re.compile(r" *(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)((?:(?!\n\n).)+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\((?P<target>[^()\s]+)(?:\s+\"[^\"]*\")?\)")
_BARE = re.compile(r"https?://[^\s<>()\[\]`\"']+")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


@dataclass(frozen=True)
class Code:
    """A fenced or indented block: the line that it begins on, its language where it has one, its text."""

    line: int
    info: str
    text: str


@dataclass(frozen=True)
class Page:
    """One page; `name` is its path from the root."""

    name: str
    text: str

    @cached_property
    def _split(self) -> tuple[str, list[Code]]:
        """The text with its blocks blanked, and the blocks."""
        kept: list[str] = []
        blocks: list[Code] = []
        inside: list[str] = []
        fence, info, blank = "", "", True
        for number, line in enumerate(self.text.splitlines(), 1):
            opened = _FENCE.fullmatch(line)
            if fence:
                if line.strip() == fence:
                    blocks.append(Code(number - len(inside), info, "\n".join(inside)))
                    fence = ""
                else:
                    inside.append(line)
                kept.append("")
            elif opened:
                fence, info, inside = opened["mark"], opened["info"].strip(), []
                kept.append("")
            elif line.startswith("    ") and blank and not re.match(r" +([-*]|\d+\.) ", line):
                blocks.append(Code(number, "", line.strip()))
                kept.append("")
            else:
                kept.append(line)
                blank = not line.strip()
        assert not fence, f"{self.name}: a fence is not closed"
        return "\n".join(kept), blocks

    @property
    def blocks(self) -> list[Code]:
        """Its blocks of code; of indented ones each line is one."""
        return self._split[1]

    @property
    def spans(self) -> list[Code]:
        """Its code within sentences."""
        prose = self._split[0]
        return [Code(prose.count("\n", 0, one.start()) + 1, "", one[2].strip()) for one in _SPAN.finditer(prose)]

    @property
    def links(self) -> list[str]:
        """What its links lead to, in its own words."""
        marked = _SPAN.sub("code", self._split[0])  # a link's text may be code, and code is no link
        bare = (one.rstrip(".,;:") for one in _BARE.findall(_LINK.sub("", marked)))
        return [*(one["target"] for one in _LINK.finditer(marked)), *bare]

    @cached_property
    def anchors(self) -> set[str]:
        """The anchors of its headings, as GitHub makes them."""
        found: set[str] = set()
        for title in _HEADING.findall(self._split[0]):
            slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()).replace(" ", "-")
            number = next(n for n in range(1000) if (f"{slug}-{n}" if n else slug) not in found)
            found.add(f"{slug}-{number}" if number else slug)
        return found

    def diagram(self, kind: str) -> str:
        """The text of its one Mermaid diagram of a kind, such as stateDiagram-v2."""
        found = [one.text for one in self.blocks if one.info == "mermaid" and one.text.lstrip().startswith(kind)]
        assert len(found) == 1, f"{self.name}: {len(found)} diagrams begin with {kind}"
        return found[0]


def every_page() -> Iterator[Page]:
    """Every page of the repository."""
    for path in sorted(ROOT.rglob("*.md")):
        parts = path.relative_to(ROOT).parts
        if not any(part in _LEFT_OUT or (part.startswith(".") and part != ".github") for part in parts):
            yield page(str(path.relative_to(ROOT)))


def page(name: str) -> Page:
    """A page by its path from the root."""
    return Page(name, (ROOT / name).read_text(encoding="utf-8"))

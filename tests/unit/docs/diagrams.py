"""Mermaid's flowcharts and state diagrams, as far as ours use them: https://mermaid.js.org/syntax/flowchart.html"""

import re
from itertools import pairwise
from typing import NamedTuple

_ARROW = re.compile(r"\s*(?:<-->|-->|--\s+(?P<label>.+?)\s+-->)\s*")
_NODE = re.compile(r"(?P<id>\[\*\]|[\w-]+)(?P<shape>[\[({].*[\])}])?")
_NAMED = re.compile(r'state "(?P<name>[^"]+)" as (?P<id>\w+)')
_SUBGRAPH = re.compile(r"\s*subgraph [\w-]+ \[(?P<title>[^\[\]]+)\]")
_STEP = re.compile(r"(?<![\w-])[\w-]+\[(?P<label>[^\[\]()]+)\]")  # a rectangle; other shapes are other things


class Edge(NamedTuple):
    """An arrow with what stands on it; of one with two heads, from left to right."""

    start: str
    label: str
    end: str


def edges(diagram: str) -> list[Edge]:
    """Every arrow of a diagram, each end of `a & b` by itself; states by the names that they are given."""
    found = []
    names = {one["id"]: one["name"] for one in _NAMED.finditer(diagram)}
    states = diagram.lstrip().startswith("stateDiagram")
    for line in diagram.splitlines()[1:]:
        arrows = list(_ARROW.finditer(line))
        bounds = [0, *(at for arrow in arrows for at in arrow.span()), len(line)]
        ends = [line[bounds[n] : bounds[n + 1]] for n in range(0, len(bounds), 2)]
        for (left, right), arrow in zip(pairwise(ends), arrows, strict=True):
            pairs = [(a, b) for a in _nodes(left) for b in _nodes(right)]
            # Mermaid's lexer ends the id of a state at a hyphen: such a diagram is not drawn at all.
            assert not states or not any("-" in one for pair in pairs for one in pair), f"no state: {line}"
            found += [Edge(names.get(a, a), arrow["label"] or "", names.get(b, b)) for a, b in pairs]
    return found


def members(diagram: str) -> dict[str, str]:
    """The nodes that stand in a subgraph, each with its title."""
    found: dict[str, str] = {}
    title = ""
    for line in diagram.splitlines()[1:]:
        if opened := _SUBGRAPH.fullmatch(line):
            title = opened["title"]
        elif line.strip() == "end":
            title = ""
        elif title and line.strip():
            assert not _ARROW.search(line), f"an arrow among the nodes of {title}: {line}"
            found |= dict.fromkeys(_nodes(line), title)
    return found


def labels(diagram: str) -> list[str]:
    """The texts of its rectangles."""
    return [one["label"] for one in _STEP.finditer(diagram)]


def _nodes(text: str) -> list[str]:
    found = [_NODE.fullmatch(part.strip()) for part in text.split("&")]
    assert all(found), f"no node: {text}"
    return [one["id"] for one in found if one]

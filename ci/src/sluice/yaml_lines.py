"""YAML documents with the line of each value: `yaml` gives values without lines, and a mistake needs its line.

Public: `read_documents`, and `Document.line_of` for a mistake in a value.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One document of a file: its value, and where in the file each part of it stands."""

    value: Any
    lines: dict[Place, int]

    def line_of(self, place: Sequence[str | int]) -> int:
        """Return the line, counted from 1, on which the value at `place` begins.

        What is missing has the line of the nearest part above it that is there.
        """
        for end in range(len(place), 0, -1):
            line = self.lines.get(tuple(place[:end]))
            if line is not None:
                return line
        return self.lines[()]


class UnreadableError(Exception):
    """Raised where a text is not YAML, or says one thing twice; `line` counts from 1."""

    def __init__(self, line: int, said: str) -> None:
        self.line = line
        super().__init__(said)


def read_documents(text: str) -> list[Document]:
    """Return the documents of a text; empty ones are left out. Raises UnreadableError."""
    loader = yaml.SafeLoader(text)
    found = []
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
                continue
            lines = dict(_lines(node, ()))
            found.append(Document(loader.construct_document(node), lines))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableError(mark.line + 1 if mark else 1, error.problem or "this is no YAML") from None
    except yaml.YAMLError as error:
        raise UnreadableError(1, " ".join(str(error).split())) from None
    finally:
        loader.dispose()
    return found


def _lines(node: yaml.Node, place: Place, line: int | None = None) -> Iterator[tuple[Place, int]]:
    """The lines of a value and of all within it; `line` is that of its key, as a value may begin below that."""
    yield place, line or node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, each in enumerate(node.value):
            yield from _lines(each, (*place, index))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, each in node.value:
            name, own = str(key.value), key.start_mark.line + 1
            # YAML forbids it, and the parser would take the last one without a word.
            if name in seen:
                raise UnreadableError(own, f"{name} is there twice")
            seen.add(name)
            yield from _lines(each, (*place, name), own)

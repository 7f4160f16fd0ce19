"""Where in a TOML text a value stands: `tomllib` gives values without lines, and a mistake needs its line.

Public: `line_of` for a mistake in a value, `syntax_line_and_column` for a text that is no TOML.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_SPACE_LINES_COMMENTS = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}#\n]*")
# Multi-line forms first; up to two quotes may stand right before the closing three.
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")' r"|'''.*?'{3,5}(?!')" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Return the line, counted from 1, on which the value at `path` begins.

    A path has a part per table, key or index: `("objective", 2, "weight")` is the key `weight` of the third
    `[[objective]]`. A key which is missing has the line of the nearest table above it that is there. None
    when no part of the path is in the text. A text that is no TOML is read as far as it goes.
    """
    lines = _lines(text)
    for end in range(len(path), 0, -1):
        line = lines.get(tuple(path[:end]))
        if line is not None:
            return line
    return None


def syntax_line_and_column(text: str, error: tomllib.TOMLDecodeError) -> tuple[int, int]:
    """Return where a text stops being TOML, counted from 1; its last line where it ends too early."""
    found = _PLACE.search(str(error))
    if found:
        return int(found[1]), int(found[2])
    return text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1


@lru_cache(maxsize=4)  # whoever asks for one place asks for many of the same text
def _lines(text: str) -> Mapping[KeyPath, int]:
    scanner = _Scanner(text)
    with suppress(_UnreadableError, tomllib.TOMLDecodeError):  # what was read so far is still true
        scanner.document()
    return scanner.lines


class _UnreadableError(Exception):
    """Raised where the text is not TOML any more."""


class _Scanner:
    """Reads valid TOML 1.0 for the places of its keys; what the values are is left to `tomllib`."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._counted_to = 0
        self._line = 1
        self._last_index: dict[KeyPath, int] = {}

    def document(self) -> None:
        """Read the whole text."""
        table: KeyPath = ()
        self._skip(_SPACE_LINES_COMMENTS)
        while self._at < len(self._text):
            if self._take("[["):
                table = self._array_header()
            elif self._take("["):
                table = self._enter(self._key(), ())
                self._expect("]")
            else:
                self._pair(table)
            self._skip(_SPACE_LINES_COMMENTS)

    def _array_header(self) -> KeyPath:
        line = self._line_here()
        *outer, last = self._key()
        self._expect("]]")
        array = (*self._enter(outer, ()), last)
        index = self._last_index[array] = self._last_index.get(array, -1) + 1
        self.lines.setdefault(array, line)
        self.lines[*array, index] = line
        return (*array, index)

    def _pair(self, table: KeyPath) -> None:
        path = self._enter(self._key(), table)
        self._expect("=")
        self._value(path)

    def _enter(self, keys: Sequence[str], path: KeyPath) -> KeyPath:
        """Note the line of each table on the way; an array of tables is entered at its last one."""
        for key in keys:
            path = (*path, key)
            self.lines.setdefault(path, self._line_here())
            if path in self._last_index:
                path = (*path, self._last_index[path])
        return path

    def _key(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            string = self._skip(_STRING)
            # A quoted key is a TOML string: only tomllib knows its escapes.
            keys.append(tomllib.loads(f"v = {string}")["v"] if string else self._skip(_BARE_KEY))
            if not string and not keys[-1]:
                raise _UnreadableError
            self._skip(_SPACE)
            if not self._take("."):
                return keys

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            self._inline_table(path)
        elif not self._skip(_STRING) and not self._skip(_SCALAR):
            raise _UnreadableError

    def _array(self, path: KeyPath) -> None:
        index = 0
        self._skip(_SPACE_LINES_COMMENTS)
        while not self._take("]"):
            self.lines[*path, index] = self._line_here()
            self._value((*path, index))
            index += 1
            self._separator("]")

    def _inline_table(self, path: KeyPath) -> None:
        self._skip(_SPACE_LINES_COMMENTS)
        while not self._take("}"):
            self._pair(path)
            self._separator("}")

    def _separator(self, closing: str) -> None:
        self._skip(_SPACE_LINES_COMMENTS)
        if not self._take(",") and not self._text.startswith(closing, self._at):
            raise _UnreadableError
        self._skip(_SPACE_LINES_COMMENTS)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if not found:
            return ""
        self._at = found.end()
        return found[0]

    def _take(self, mark: str) -> bool:
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _expect(self, mark: str) -> None:
        self._skip(_SPACE)
        if not self._take(mark):
            raise _UnreadableError

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

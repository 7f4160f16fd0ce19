"""A TOML file → a value of a frozen dataclass; all mistakes at once, each with its line."""

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sluice.errors import PolicyError
from sluice.toml_lines import line_of, syntax_line_and_column

T = TypeVar("T")
Place = tuple[str | int, ...]
Mistake = tuple[Place, str]


def load_checked(
    path: Path,
    kind: type[T],
    contradictions: Callable[[dict[str, Any]], Iterable[Mistake]],
    *,
    tables: str,
    named_by: str,
    dates: bool = False,
    documented: str = "release/README.md",
) -> T:
    """Return what a file holds. `contradictions` finds what is wrong between values that are each well-formed.

    `tables` is the file's array of tables, `named_by` the key that an entry of it is called by in messages,
    `documented` where its keys are listed.
    Raises PolicyError that names every mistake, each with its line, or the place where the text is not TOML.
    """
    cure = f"mend {path.name}; {documented} lists what it may hold"
    try:
        text = path.read_text(encoding="utf-8")
        given = tomllib.loads(text)
    except OSError as error:
        raise PolicyError(
            str(path), [f"cannot be read: {error.strerror}"], expected=f"a {path.stem}", next_command=cure
        ) from None
    except UnicodeDecodeError as error:
        mistake = f"byte {error.start} is not UTF-8"
        raise PolicyError(str(path), [mistake], expected="TOML 1.0 in UTF-8", next_command=cure) from None
    except tomllib.TOMLDecodeError as error:
        line, column = syntax_line_and_column(text, error)
        mistake = f"line {line}, column {column}: {str(error).split(' (at ')[0]}"
        raise PolicyError(str(path), [mistake], expected="TOML 1.0", next_command=cure) from None
    value: T | None = None
    found = list(contradictions(given))
    try:
        # By way of JSON, where strict still takes an array for a tuple. Where no key is a date, none accepts one.
        shown = json.dumps(given, default=_iso if dates else lambda day: [str(day)])
        value = TypeAdapter(kind).validate_json(shown)
    except ValidationError as error:
        found += [(tuple(mistake["loc"]), _said(mistake)) for mistake in error.errors()]
    if value is None or found:
        told = {
            (line_of(text, place) or 1, f"{_shown(place, given, tables, named_by)}: {said}") for place, said in found
        }
        mistakes = [f"line {line}: {said}" for line, said in sorted(told)]
        raise PolicyError(str(path), mistakes, expected=f"the keys that {documented} lists", next_command=cure)
    return value


def entries(given: Mapping[str, Any], tables: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The well-formed entries of an array of tables, with their numbers."""
    found = given.get(tables)
    for index, entry in enumerate(found if isinstance(found, list) else ()):
        if isinstance(entry, dict):
            yield index, entry


def _iso(day: object) -> str:
    if isinstance(day, datetime | date | time):
        return day.isoformat()
    raise TypeError(f"TOML gives no {type(day).__name__}")


def _said(mistake: Any) -> str:
    """One of pydantic's findings in words, with the value that was seen."""
    if mistake["type"] == "missing":
        return "is missing"
    if mistake["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return "no such key"
    seen = mistake["input"]
    said = str(mistake["msg"]).removeprefix("Input ")
    return said if isinstance(seen, dict | list) else f"{said}, seen {json.dumps(seen)}"


def _shown(place: Sequence[str | int], given: dict[str, Any], tables: str, named_by: str) -> str:
    """The place in the file's words: objective "p95-latency" weight."""
    parts = list(place)
    words = []
    if len(parts) > 1 and isinstance(parts[1], int):
        entry = given[tables][parts[1]] if parts[0] == tables else None
        name = entry.get(named_by) if isinstance(entry, dict) else None
        words = [f'{parts[0]} "{name}"' if isinstance(name, str) else f"{parts[0]} {parts[1] + 1}"]
        parts = parts[2:]
    words += [str(part) for part in parts]
    return " ".join(words) or "the file"

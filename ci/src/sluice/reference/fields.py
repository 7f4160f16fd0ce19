"""What a table of a TOML file may hold, read from the dataclass or model that it is read into."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sluice.errors import ReferencePageError
from sluice.reference.markdown import COMMAND, code, table

_WORDS: Mapping[Any, str] = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}  # of annotated_types, which pydantic keeps bounds in


class Key(NamedTuple):
    """One key: what it takes, its default (`required` where it has none), and what it means."""

    name: str
    takes: str
    default: str
    meaning: str


def keys(kind: type) -> list[Key]:
    """Return the keys of a model or dataclass in their order. Raises ReferencePageError where one has no meaning."""
    found = list(_of_model(kind) if issubclass(kind, BaseModel) else _of_dataclass(kind))
    mistakes = [f"{kind.__name__}.{key.name} says nowhere what it means" for key in found if not key.meaning]
    if mistakes:
        raise ReferencePageError(
            kind.__module__,
            mistakes,
            expected="a description in the annotation of each key",
            next_command=f"add it, then {COMMAND}",
        )
    return found


def keys_table(kind: type, heading: str = "key") -> str:
    """Return the table of a kind's keys."""
    return table((heading, "takes", "default", "meaning"), [(code(key.name), *key[1:]) for key in keys(kind)])


def takes(annotation: Any) -> str:
    """Return in words what a type takes, with its bounds."""
    base, found = _split(annotation)
    bounds = [
        f"{sign} {getattr(bound, name):.12g}"
        for info in found
        for bound in info.metadata
        for name, sign in _SIGNS.items()
        if hasattr(bound, name)
    ]
    return ", ".join([_word(base), *bounds])


def _word(base: Any) -> str:
    origin, inner = get_origin(base), get_args(base)
    if origin is Literal:
        return ", ".join(code(str(value)) for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(takes(one) for one in inner if one is not type(None))
    if origin is tuple:
        return f"list of {takes(inner[0])}".replace("list of table", "tables")
    if origin is dict or (isinstance(base, type) and is_dataclass(base) and _is_table(base)):
        return "table"
    return _WORDS.get(base, "text")


def _is_table(kind: type) -> bool:
    """Whether it is read from a table, as ours say; another dataclass is read from a text."""
    return hasattr(kind, "__pydantic_config__")


def _of_model(kind: type[BaseModel]) -> Iterator[Key]:
    for name, info in kind.model_fields.items():
        annotation = Annotated[info.annotation, info] if info.metadata else info.annotation
        yield Key(info.alias or name, takes(annotation), _shown(info.default), info.description or "")


def _of_dataclass(kind: type) -> Iterator[Key]:
    hints = get_type_hints(kind, include_extras=True)
    for one in fields(kind):
        if one.name == "name" and one.default == "":
            continue  # of the file, no key of it
        _, found = _split(hints[one.name])
        alias = next((info.alias for info in found if info.alias), one.name)
        meaning = next((info.description for info in found if info.description), "")
        if one.name == "schema":
            meaning = "names the format and its version"
        none = one.default is MISSING and one.default_factory is MISSING
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        yield Key(alias, takes(hints[one.name]), "required" if none else _shown(default), meaning)


def _split(annotation: Any) -> tuple[Any, list[FieldInfo]]:
    """The type, and what pydantic was told of it."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    base, *more = get_args(annotation)
    return base, [one for one in more if isinstance(one, FieldInfo)]


def _shown(value: Any) -> str:
    """A default as one would write it; a table or nothing at all has none to show."""
    if value is None or value == "" or value == () or value == {} or (is_dataclass(value) and _is_table(type(value))):
        return ""
    if isinstance(value, tuple):
        return code(str(list(value)).replace("'", '"'))
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(f"{value:g}" if isinstance(value, float) else str(value))

"""The published schemas: they are those of the models, and once published they are only ever extended.

`published/` holds each schema as it was last published. `python3 -m servicekit.event_schemas` writes the current ones;
copying one to `published/` publishes it, which a new version beside the old needs, and an added optional member.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from servicekit.event_schemas import FOLDER, rendered
from testkit.contracts import schemas
from testkit.examples import examples

PUBLISHED = Path(__file__).parent / "published"
NAMES = sorted(path.name for path in PUBLISHED.glob("*.json"))
# These say nothing about what is valid.
NOTES = {"title", "description", "examples", "default"}


def broken_promises(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Tell how `new` is more than `old` with optional members added and notes changed."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{path or 'schema'}: was {old!r}, is {new!r}"
        return
    members = path.endswith(("/properties", "/$defs"))
    for key in old.keys() | (set() if members else new.keys()):
        if key in NOTES and not members:
            continue
        if key not in new or key not in old:
            yield f"{path}/{key}: {'removed' if key in old else 'added'}"
        else:
            yield from broken_promises(old[key], new[key], f"{path}/{key}")


def test_the_files_are_those_of_the_models() -> None:
    files = {path.name: path.read_text() for path in FOLDER.glob("*")}
    assert files == rendered(), "run `python3 -m servicekit.event_schemas` and see what changed"


def test_every_schema_was_published() -> None:
    assert sorted(rendered()) == NAMES, "a published version stays, and a new one has to be copied to published/"


@pytest.mark.parametrize("name", NAMES)
def test_what_was_published_is_only_extended(name: str) -> None:
    old, new = json.loads((PUBLISHED / name).read_text()), json.loads((FOLDER / name).read_text())
    assert list(broken_promises(old, new)) == [], "make a new version beside this one instead"


CHANGES: dict[str, tuple[Any, str]] = {
    "a member removed": (lambda schema: schema["properties"].pop("actor"), "/properties/actor: removed"),
    "a member required": (lambda schema: schema["required"].append("after"), "/required: was"),
    "a member optional": (lambda schema: schema["required"].remove("actor"), "/required: was"),
    "a type changed": (
        lambda schema: schema["$defs"]["TaskSnapshot"]["properties"]["occurrence"].update(type="number"),
        "/$defs/TaskSnapshot/properties/occurrence/type: was 'integer', is 'number'",
    ),
    "a choice added": (
        lambda schema: schema["$defs"]["TaskSnapshot"]["properties"]["priority"]["enum"].append("asap"),
        "/$defs/TaskSnapshot/properties/priority/enum: was",
    ),
    "a bound added": (
        lambda schema: schema["$defs"]["TaskSnapshot"]["properties"]["title"].update(maxLength=10),
        "/$defs/TaskSnapshot/properties/title/maxLength: added",
    ),
    "a bound removed": (
        lambda schema: schema["$defs"]["TaskSnapshot"]["properties"]["version"].pop("minimum"),
        "/$defs/TaskSnapshot/properties/version/minimum: removed",
    ),
    "other members refused": (lambda schema: schema.update(additionalProperties=False), "/additionalProperties: added"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_breaks_a_reader_is_found(change: str) -> None:
    old = schemas()["sluice.task.created.v1"]
    new = copy.deepcopy(old)
    alter, told = CHANGES[change]
    alter(new)
    (found,) = broken_promises(old, new)
    assert found.startswith(told)


def test_an_optional_member_and_other_words_break_nothing() -> None:
    old = schemas()["sluice.task.created.v1"]
    new = copy.deepcopy(old)
    new["properties"]["reason"] = {"type": "string", "default": ""}
    new["$defs"]["TaskSnapshot"]["properties"]["colour"] = {"type": "string", "default": ""}
    new["$defs"]["Place"] = {"type": "object"}
    new["description"] = "other words"
    new["properties"]["actor"]["title"] = "Who"
    assert list(broken_promises(old, new)) == []


@pytest.mark.parametrize("event_type", sorted(schemas()))
def test_the_examples_are_examples(event_type: str) -> None:
    schema = schemas()[event_type]
    Draft202012Validator.check_schema(schema)
    made = examples(schema)
    assert {"least", "full", "newer writer"} <= set(made)
    for name, example in made.items():
        assert list(Draft202012Validator(schema).iter_errors(example)) == [], name
    assert set(made["least"]) < set(made["full"]) or len(schema["required"]) == len(schema["properties"])

"""Holds events to the published schemas, from whichever service they come."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from servicekit.event_schemas import FOLDER
from servicekit.events import ALL_EVENTS, PREFIX

# What a test's services published against a schema; services/conftest.py fails the test that left something here.
VIOLATIONS: list[str] = []
_REQUIRED = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "partitionkey",
             "traceparent", "data")  # fmt: skip


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Return the published schemas by event type."""
    files = {f"{kind.name}.v{kind.version}.json": kind.type for kind in ALL_EVENTS}
    return {files[path.name]: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


@cache
def _validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(schemas()[event_type])


def violations(topic: str, key: str, event: dict[str, Any]) -> list[str]:
    """Return what is wrong with an event that a service published."""
    told = f"{event.get('type')} from {event.get('source')}"
    missing = [name for name in _REQUIRED if not event.get(name)]
    if missing:
        return [f"{told}: lacks {', '.join(missing)}"]
    found = []
    if event["type"] not in schemas():
        return [f"{told}: no published schema of this type"]
    (kind,) = (kind for kind in ALL_EVENTS if kind.type == event["type"])
    if topic != kind.topic:
        found.append(f"{told}: published to {topic}, its topic is {kind.topic}")
    if key != event["partitionkey"]:
        found.append(f"{told}: published under the key {key}, says {event['partitionkey']}")
    if event["dataschema"] != schemas()[event["type"]]["$id"]:
        found.append(f"{told}: dataschema is {event['dataschema']}")
    if not event["source"].startswith("/services/") or not event["type"].startswith(PREFIX):
        found.append(f"{told}: source or type has not our prefix")
    errors = _validator(event["type"]).iter_errors(event["data"])
    return found + [f"{told}: {'/'.join(map(str, error.absolute_path)) or 'data'}: {error.message}" for error in errors]

"""The events' JSON Schemas (2020-12), a file per type and version: `python3 -m servicekit.event_schemas`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from servicekit.events import ALL_EVENTS, EventType

FOLDER = Path(__file__).parent / "schemas"


def schema_of(kind: EventType[Any]) -> dict[str, Any]:
    """Return the schema of an event's data."""
    schema = kind.model.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": kind.schema, **schema}


def rendered() -> dict[str, str]:
    """Return every schema as a file's text, by file name."""
    return {f"{kind.name}.v{kind.version}.json": json.dumps(schema_of(kind), indent=2) + "\n" for kind in ALL_EVENTS}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")

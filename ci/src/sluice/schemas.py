"""The JSON Schemas of what commands leave, made of the dataclasses; docs/schemas/ holds them for other programs.

Its number is that of the value's own `schema` field: a change that an older reader would misread makes a new one.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sluice.domain import EVIDENCE_SCHEMA, VERDICT_SCHEMA, Evidence, Verdict
from sluice.generated import write_files
from sluice.readiness.model import SCHEMA as READINESS_SCHEMA
from sluice.readiness.model import Readiness

FOLDER = Path("docs/schemas")
_KINDS: dict[str, type] = {EVIDENCE_SCHEMA: Evidence, VERDICT_SCHEMA: Verdict, READINESS_SCHEMA: Readiness}


class _WithTexts(GenerateJsonSchema):
    """Numbers may be NaN and infinite, which JSON has no numbers for: they are written as these texts."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """A number, or one of the texts."""
        return {"anyOf": [super().float_schema(schema), {"enum": ["NaN", "Infinity", "-Infinity"]}]}


def files() -> dict[Path, str]:
    """Each schema's text by its place in the tree, such as docs/schemas/verdict-v1.schema.json."""
    found = {}
    for name, kind in _KINDS.items():
        made: dict[str, Any] = TypeAdapter(kind).json_schema(mode="serialization", schema_generator=_WithTexts)
        made["properties"]["schema"] = {"const": name}
        told = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": name, **made}
        file = name.removeprefix("sluice.").replace("/", "-") + ".schema.json"
        found[FOLDER / file] = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    return found


def write(root: Path) -> list[Path]:
    """Write the schemas of a tree anew; returns those that changed."""
    return write_files(root, files())

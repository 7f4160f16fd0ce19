"""Examples of a JSON Schema: made from the schema alone, so that they hold whatever it allows and nothing else."""

from __future__ import annotations

from typing import Any

# What a text of a format looks like; other text is plain.
_FORMATS = {"uuid": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "date-time": "2030-01-31T09:00:00Z"}
_PATTERNS = {"^[A-Za-z0-9._-]{1,64}$": "ann"}

Schema = dict[str, Any]


def examples(schema: Schema) -> dict[str, Any]:
    """Return examples by what is special about them: least, full, with members of a later writer, and each choice."""
    found = {
        "least": _value(schema, schema, full=False),
        "full": _value(schema, schema, full=True),
    }
    found["newer writer"] = {**found["full"], "added_later": {"by": ["a newer writer"]}}
    for name, member in schema["properties"].items():
        for number, choice in enumerate(_choices(schema, member)):
            found[f"{name} {number}"] = {**found["full"], name: choice}
    # Some combinations are not allowed: the schema says which (anyOf beside the properties).
    return {name: example for name, example in found.items() if _allowed(schema, example)}


def _allowed(schema: Schema, example: Any) -> bool:
    alternatives = schema.get("anyOf", [])
    return not alternatives or any(
        all(isinstance(example.get(name), dict) for name in alternative["required"]) for alternative in alternatives
    )


def _choices(root: Schema, schema: Schema) -> list[Any]:
    """Return a value for each alternative, and the bounds of a number or a length."""
    schema = _resolved(root, schema)
    if "anyOf" in schema:
        return [choice for part in schema["anyOf"] for choice in _choices(root, part)]
    if "enum" in schema:
        return list(schema["enum"])
    kind = schema.get("type")
    if kind == "integer":
        return [schema[bound] for bound in ("minimum", "maximum") if bound in schema] or [0]
    if kind == "string" and not {"format", "pattern", "examples"} & set(schema):
        return ["x" * length for length in (schema.get("minLength", 0), schema.get("maxLength", 300))]
    if kind == "array":
        item = _value(root, schema["items"], full=True)
        return [[], [item], [item] * schema.get("maxItems", 3)]
    return [_value(root, schema, full=True)]


def _value(root: Schema, schema: Schema, *, full: bool) -> Any:
    schema = _resolved(root, schema)
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema and "properties" not in schema:
        return _value(root, schema["anyOf"][0], full=full)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"]
    if kind == "null":
        return None
    if kind == "object":
        required = set(schema.get("required", []))
        if not full and "anyOf" in schema:
            required |= set(schema["anyOf"][-1]["required"])
        wanted = {name: part for name, part in schema["properties"].items() if full or name in required}
        return {name: _value(root, part, full=full) for name, part in wanted.items()}
    if kind == "array":
        return [_value(root, schema["items"], full=full)]
    if kind == "integer":
        return max(schema.get("minimum", 1), 1)
    if kind == "string":
        return _FORMATS.get(schema.get("format", "")) or _PATTERNS.get(schema.get("pattern", "")) or "text"
    raise AssertionError(f"no example of a {kind!r} is known: {schema}")


def _resolved(root: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema

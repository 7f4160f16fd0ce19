"""Kubernetes' OpenAPI and the CRDs' schemas, made strict: a field that they do not know is an error.

The API server drops an unknown field with at most a warning, so a misspelt `resources` would pass for years.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from .rendering import Manifest, documents, title

Schema = dict[str, Any]

KUBERNETES = "kubernetes"
OBJECT_META = {"$ref": f"{KUBERNETES}:#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
INT_OR_STRING: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
QUANTITY: Schema = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$"},
    ]
}


def strict(schema: Schema) -> Schema:
    """The same schema in which an object with known properties has no others.

    What stands in anyOf, allOf and the like only adds conditions to properties given beside it: it is kept.
    """
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return INT_OR_STRING
    result = dict(schema)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            result[keyword] = strict(schema[keyword])
    if "properties" in schema:
        result["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            result.setdefault("additionalProperties", False)
    if schema.get("nullable"):
        return {"anyOf": [result, {"type": "null"}]}
    return result


@dataclass(frozen=True)
class Schemas:
    """A schema for each apiVersion and kind."""

    by_kind: dict[tuple[str, str], Schema]
    registry: Registry[Any]

    @classmethod
    def load(cls, openapi: Path, crds: Path) -> "Schemas":
        """Read Kubernetes' swagger.json and a folder of CRDs."""
        definitions: dict[str, Schema] = json.loads(openapi.read_text(encoding="utf-8"))["definitions"]
        by_kind: dict[tuple[str, str], Schema] = {}
        for name, definition in definitions.items():
            for kind in definition.get("x-kubernetes-group-version-kind", []):
                version = f"{kind['group']}/{kind['version']}".lstrip("/")
                by_kind[version, kind["kind"]] = {"$ref": f"{KUBERNETES}:#/definitions/{name}"}
        for path in sorted(crds.glob("*.yaml")):
            for crd in documents(path.read_text(encoding="utf-8")):
                by_kind.update(_custom_resources(crd))
        strict_definitions = {name: strict(definition) for name, definition in definitions.items()}
        strict_definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = QUANTITY
        document = DRAFT4.create_resource({"definitions": strict_definitions})
        return cls(by_kind, Registry().with_resource(f"{KUBERNETES}:", document))

    def mistakes(self, manifest: Manifest) -> list[str]:
        """What is wrong with a manifest, each with its place; empty when it is right."""
        schema = self.by_kind.get((str(manifest.get("apiVersion")), str(manifest.get("kind"))))
        if schema is None:
            return [f"{title(manifest)}: no schema for {manifest.get('apiVersion')} {manifest.get('kind')}"]
        validator = Draft4Validator(schema, registry=self.registry)
        return [f"{title(manifest)}: {error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


def _custom_resources(crd: Manifest) -> dict[tuple[str, str], Schema]:
    """The schemas of a CRD, a version each."""
    result: dict[tuple[str, str], Schema] = {}
    for version in crd["spec"]["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = OBJECT_META
        result[f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]] = schema
    return result

"""Where an image came from, as a statement that can be signed.

Format: in-toto Statement v1 (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) with the predicate
SLSA Provenance v1 (https://slsa.dev/spec/v1.0/provenance).
"""

from collections.abc import Iterable
from typing import Any

from sluice.domain import Component, Evidence, Image
from sluice.moments import rfc3339

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
# What the parameters mean: one service of a tree, built from services/Dockerfile or its own.
BUILD_TYPE = "https://sluice.dev/build/service-image/v1"


def statement(image: Image, evidence: Evidence, *, builder: str, source: str) -> dict[str, Any]:
    """Return the provenance of an image that a run built.

    `builder` is a URI that names who ran the build, `source` one of the repository, such as git+https://….
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": image.repository, "digest": _digest(image.digest)}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"source": source, "service": image.name},
                "internalParameters": {"runtime": evidence.runtime, "sourceDigest": evidence.source_digest},
                "resolvedDependencies": [
                    {"uri": source, "digest": {"gitCommit": evidence.revision}},
                    *_materials(evidence.components),
                ],
            },
            "runDetails": {
                "builder": {"id": builder},
                "metadata": {
                    "invocationId": evidence.run_id,
                    "startedOn": rfc3339(evidence.started),
                    "finishedOn": rfc3339(evidence.ended),
                },
            },
        },
    }


def _materials(components: Iterable[Component]) -> list[dict[str, Any]]:
    """The third-party programs of the run, by name, with how each was obtained."""
    return [
        {
            "uri": f"pkg:generic/{one.name}@{one.version}",  # a package URL: https://github.com/package-url/purl-spec
            "digest": _digest(one.digest),
            "annotations": {"obtained": one.how},
        }
        for one in sorted(components, key=lambda one: one.name)
    ]


def _digest(text: str) -> dict[str, str]:
    algorithm, _, value = text.partition(":")
    return {algorithm: value}

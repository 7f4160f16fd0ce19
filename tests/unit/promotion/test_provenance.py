"""Provenance: one image as its subject, and what it was made of with the digests of the run."""

import re
from dataclasses import replace

from tests.unit.report import samples

from sluice.promotion.provenance import statement

RUN = samples.sound()
SOURCE = "git+https://example.org/tasks"


def test_a_statement_is_of_one_image_and_names_its_source_and_its_materials() -> None:
    image = RUN.images[0]
    found = statement(image, RUN, builder="https://example.org/ci", source=SOURCE)
    assert (found["_type"], found["predicateType"]) == (
        "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
    )  # fmt: skip
    assert found["subject"] == [
        {"name": image.repository, "digest": {"sha256": image.digest.removeprefix("sha256:")}}
    ]  # fmt: skip
    definition, details = found["predicate"]["buildDefinition"], found["predicate"]["runDetails"]
    assert definition["externalParameters"] == {"source": SOURCE, "service": image.name}
    first, *materials = definition["resolvedDependencies"]
    assert first == {"uri": SOURCE, "digest": {"gitCommit": RUN.revision}}
    assert len(materials) == len(RUN.components)
    assert all(re.fullmatch(r"pkg:generic/[^@]+@.+", one["uri"]) for one in materials)
    assert all(re.fullmatch(r"[0-9a-f]{64}", one["digest"]["sha256"]) for one in materials)
    assert details["builder"] == {"id": "https://example.org/ci"}
    assert details["metadata"]["invocationId"] == RUN.run_id
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", details["metadata"]["startedOn"])


def test_the_same_run_gives_the_same_statement_in_whatever_order_components_came() -> None:
    other = replace(RUN, components=tuple(reversed(RUN.components)))
    image = RUN.images[0]
    assert statement(image, RUN, builder="b", source=SOURCE) == statement(image, other, builder="b", source=SOURCE)

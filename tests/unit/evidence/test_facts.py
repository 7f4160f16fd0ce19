"""What Prometheus says of itself, and what is known of images: what is not known is an error, never a guess."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.fakes import FakeMetrics

from sluice.domain import Image, Measurement, Series
from sluice.errors import EvidenceError
from sluice.policy import Criterion, Objective
from sluice.steps.image_facts import measure
from sluice.steps.monitoring_facts import about_prometheus, longest_gap

SCRAPES = "max(timestamp(up))"
STARTS = "process_start_time_seconds and on (job, instance, namespace, pod) prometheus_build_info"


def clock(*times: float) -> Any:
    left: Iterator[float] = iter(times)
    return lambda: next(left)


@pytest.mark.anyio
async def test_clocks_are_told_apart_by_the_shortest_round_trip() -> None:
    metrics = FakeMetrics({"time()": 105.0, SCRAPES: 200.0, STARTS: [50.0, 150.0, 50.0]})
    found = await about_prometheus(
        metrics, 100.0, 200.0, deadline_seconds=5, clock=clock(100.0, 104.0, 103.0, 104.0, 100.0, 110.0)
    )
    assert (found.clock_skew_seconds, found.clock_error_seconds) == (1.5, 0.5)
    assert (found.window_started, found.window_ended, found.starts, found.error) == (100.0, 200.0, (50.0, 150.0), "")
    assert {at for query, at in metrics.asked if query == "time()"} == {None}, "now, and not at a time that we name"


@pytest.mark.anyio
@pytest.mark.parametrize("refused", ["time()", SCRAPES, STARTS])
async def test_a_prometheus_that_does_not_answer_is_an_error(refused: str) -> None:
    answers: dict[str, Any] = {"time()": 1.0, SCRAPES: 1.0, STARTS: 1.0}
    metrics = FakeMetrics({**answers, refused: EvidenceError("refused", seen="503")})
    assert (await about_prometheus(metrics, 0.0, 10.0, deadline_seconds=5)).error == "refused: 503"
    empty = await about_prometheus(FakeMetrics({**answers, "time()": []}), 0.0, 10.0, deadline_seconds=5)
    assert empty.error.startswith("IndexError")


@pytest.mark.parametrize(
    ("points", "gap"),
    [
        pytest.param([(100, 98), (110, 109), (120, 119), (130, 130)], 2, id="scraped all the time"),
        pytest.param([(100, 98), (110, 98), (120, 98), (130, 130)], 22, id="an old scrape is still there"),
        pytest.param([(100, 100), (130, 130)], 30, id="points are missing in between"),
        pytest.param([(120, 120), (130, 130)], 20, id="nothing is left from before"),
        pytest.param([(100, 100), (110, 110)], 20, id="nothing came any more"),
        pytest.param([], 30, id="nothing at all"),
    ],
)
def test_the_longest_gap_is_found_wherever_it_is(points: list[tuple[float, float]], gap: float) -> None:
    series = (Series({}, tuple(points)),) if points else ()
    assert longest_gap(series, 100.0, 130.0, 10.0) == gap


IMAGES = (Image("backend", "r", "sha256:1", 200), Image("sync", "r", "sha256:2", 100))
SIZE = Objective("size", "image", "size", "bytes", Criterion("<=", 1e9))
LICENCES = replace(SIZE, query="licences", unit="packages", allow=("MIT", "Apache-2.0 OR MIT"))
KNOWN = replace(SIZE, query="vulnerabilities", unit="vulnerabilities", database="osv.json")


def asked(folder: Path, objective: Objective, images: tuple[Image, ...] = IMAGES) -> Measurement:
    blank = Measurement(objective.name, "image", objective.query, objective.unit, 1.0, 1.0, error="not yet")
    return measure(blank, objective, images, folder, folder)


def test_sizes_are_told_by_image(tmp_path: Path) -> None:
    found = asked(tmp_path, SIZE)
    assert (found.values, found.names, found.samples, found.error) == ((200.0, 100.0), ("backend", "sync"), 2, "")


@pytest.mark.parametrize(
    ("images", "error"),
    [
        ((), "no image was built"),
        ((replace(IMAGES[0], size_bytes=0),), "the size of image backend is not known (0 bytes)"),
    ],
)
def test_a_size_that_is_not_known_is_an_error(tmp_path: Path, images: tuple[Image, ...], error: str) -> None:
    found = asked(tmp_path, SIZE, images)
    assert (found.values, found.error) == ((), error)


def component(purl: str, *licences: str, expression: str = "") -> dict[str, Any]:
    given = [{"license": {"id": one}} for one in licences] + ([{"expression": expression}] if expression else [])
    return {"type": "library", "name": "x", "purl": purl, "licenses": given}


def sboms(folder: Path, *components: dict[str, Any]) -> None:
    (folder / "sbom").mkdir(exist_ok=True)
    for image in IMAGES:
        listed = components if image.name == "backend" else (component("pkg:pypi/idna@3.7", "MIT"),)
        text = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(listed)})
        (folder / "sbom" / f"{image.name}.cdx.json").write_text(text, encoding="utf-8")


def test_packages_of_other_licences_are_counted_and_named(tmp_path: Path) -> None:
    sboms(
        tmp_path,
        component("pkg:pypi/idna@3.7", "MIT"),
        component("pkg:pypi/both@1", expression="Apache-2.0 OR MIT"),
        component("pkg:pypi/copyleft@2", "MIT", "GPL-3.0-only"),
        component("pkg:pypi/untold@3"),
    )
    found = asked(tmp_path, LICENCES)
    assert (found.values, found.error) == ((2.0, 0.0), "")
    assert found.found == ("backend: copyleft 2: GPL-3.0-only", "backend: untold 3: no licence")


def record(name: str, ecosystem: str = "PyPI", **affected: Any) -> dict[str, Any]:
    return {"id": f"V-{name}", "affected": [{"package": {"name": name, "ecosystem": ecosystem}, **affected}]}


def between(*events: dict[str, str]) -> dict[str, Any]:
    return {"ranges": [{"type": "ECOSYSTEM", "events": list(events)}]}


RECORDS = [
    record("listed", versions=["1.0"]),
    record("Old", **between({"introduced": "0"}, {"fixed": "2.0"})),
    record("mended", **between({"introduced": "0"}, {"fixed": "1.0"})),
    record("again", **between({"introduced": "0"}, {"fixed": "0.5"}, {"introduced": "0.9"})),
    record("last", **between({"introduced": "0"}, {"last_affected": "0.9"})),
    record("bash", "Debian:13", **between({"introduced": "0"}, {"fixed": "5.2.37-2+b5~x"})),
    record("listed", "npm", versions=["1.0"]),
    {**record("withdrawn", versions=["1.0"]), "withdrawn": "2025-01-01T00:00:00Z"},
]
PURLS = [f"pkg:pypi/{name}@1.0" for name in ("listed", "old", "mended", "again", "last", "withdrawn")]


@pytest.mark.parametrize("wrapped", [RECORDS, {"vulns": RECORDS}], ids=["a list", "an object with a list"])
def test_known_vulnerabilities_are_counted_by_version(tmp_path: Path, wrapped: object) -> None:
    (tmp_path / "osv.json").write_text(json.dumps(wrapped), encoding="utf-8")
    sboms(tmp_path, *(component(purl) for purl in (*PURLS, "pkg:deb/debian/bash@5.2.37-2?arch=amd64")))
    found = asked(tmp_path, KNOWN)
    assert (found.values, found.error) == ((4.0, 0.0), "")
    assert found.found == (
        "backend: again 1.0: V-again",
        "backend: bash 5.2.37-2: V-bash",
        "backend: listed 1.0: V-listed",
        "backend: old 1.0: V-Old",
    )


@pytest.mark.parametrize(
    ("file", "text", "error"),
    [
        ("sbom/backend.cdx.json", None, "sbom/backend.cdx.json cannot be read: No such file or directory"),
        ("sbom/backend.cdx.json", '{"bomFormat": "Cyc', "sbom/backend.cdx.json is no JSON: "),
        ("sbom/backend.cdx.json", "[]", "sbom/backend.cdx.json is no CycloneDX that lists components"),
        ("sbom/backend.cdx.json", '{"bomFormat": "CycloneDX", "components": []}', "sbom/backend.cdx.json is no "),
        (
            "sbom/backend.cdx.json",
            '{"bomFormat": "CycloneDX", "components": [{"name": "x"}]}',
            "sbom/backend.cdx.json has 1 components and no package URL (purl) among them",
        ),
        (
            "sbom/backend.cdx.json",
            '{"bomFormat": "CycloneDX", "components": [{"purl": "pkg:pypi/old@1.0", "licenses": 3}]}',
            "an SBOM or the database of vulnerabilities is not as its format says (TypeError",
        ),
        ("osv.json", None, "osv.json cannot be read: No such file or directory"),
        ("osv.json", '[{"affected": []}]', "osv.json holds no list of OSV records"),
        ("osv.json", "{}", "osv.json holds no list of OSV records"),
    ],
)
def test_what_cannot_be_read_is_an_error_and_no_zero(tmp_path: Path, file: str, text: str | None, error: str) -> None:
    sboms(tmp_path, component("pkg:pypi/old@1.0"))
    (tmp_path / "osv.json").write_text(json.dumps(RECORDS), encoding="utf-8")
    (tmp_path / file).unlink()
    if text is not None:
        (tmp_path / file).write_text(text, encoding="utf-8")
    found = asked(tmp_path, KNOWN)
    assert (found.values, found.samples) == ((), 0)
    assert found.error.startswith(error)

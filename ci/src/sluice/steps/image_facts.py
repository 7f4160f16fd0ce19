"""What is known of the images themselves: size, licences and known vulnerabilities of what is in them.

Licences and packages come from an SBOM in the evidence, `sbom/<image>.cdx.json` (CycloneDX 1.4 or later, JSON:
https://cyclonedx.org/docs/1.6/json/), vulnerabilities from a file in OSV's format (https://ossf.github.io/osv-schema/).
What cannot be read is an error of the measurement, which the gate fails.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.version import InvalidVersion, Version

from sluice.domain import Image, Measurement
from sluice.policy import Objective

SBOM_FOLDER = "sbom"
_TOLD = 20  # as many findings go into the evidence in words
# OSV's names of ecosystems by the type in a package URL.
_ECOSYSTEMS = {"pypi": "PyPI", "deb": "Debian", "golang": "Go", "npm": "npm", "maven": "Maven"}


class _UnknownError(Exception):
    """Raised with the reason why something is not known of an image."""


@dataclass(frozen=True)
class _Package:
    """A component of an SBOM; `licences` are SPDX ids or expressions, empty where none is given."""

    ecosystem: str
    name: str
    version: str
    licences: tuple[str, ...]


def measure(
    blank: Measurement, objective: Objective, images: Sequence[Image], evidence_dir: Path, root: Path
) -> Measurement:
    """Return the objective's measurement: a value an image, by its name. `root` is what `database` is relative to."""
    try:
        if not images:
            raise _UnknownError("no image was built")
        if objective.query == "size":
            return _named(blank, images, [_size(image) for image in images], ())
        packages = {image.name: _packages(evidence_dir / SBOM_FOLDER / f"{image.name}.cdx.json") for image in images}
        if objective.query == "licences":
            found = {name: _refused(of_one, objective.allow) for name, of_one in packages.items()}
        else:
            known = _database(root / objective.database)
            found = {name: _vulnerable(of_one, known) for name, of_one in packages.items()}
    except _UnknownError as unknown:
        return replace(blank, error=str(unknown))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = "an SBOM" if objective.query == "licences" else "an SBOM or the database of vulnerabilities"
        return replace(blank, error=f"{what} is not as its format says ({type(error).__name__}: {error})")
    told = tuple(f"{name}: {line}" for name, lines in found.items() for line in lines)
    return _named(blank, images, [float(len(found[image.name])) for image in images], told)


def _named(blank: Measurement, images: Sequence[Image], values: Sequence[float], told: tuple[str, ...]) -> Measurement:
    names = tuple(image.name for image in images)
    return replace(blank, values=tuple(values), names=names, samples=len(names), found=told[:_TOLD], error="")


def _size(image: Image) -> float:
    if image.size_bytes <= 0:
        raise _UnknownError(f"the size of image {image.name} is not known ({image.size_bytes} bytes)")
    return float(image.size_bytes)


def _packages(sbom: Path) -> tuple[_Package, ...]:
    """What an SBOM lists. Raises _UnknownError where it is missing, is no CycloneDX, or lists nothing."""
    place = f"{sbom.parent.name}/{sbom.name}"
    given = _json(sbom, place)
    components = given.get("components") if isinstance(given, dict) else None
    if not isinstance(components, list) or not components or given.get("bomFormat") != "CycloneDX":
        raise _UnknownError(f"{place} is no CycloneDX that lists components")
    found = tuple(_package(one) for one in components if isinstance(one, dict) and one.get("purl"))
    if not found:
        raise _UnknownError(f"{place} has {len(components)} components and no package URL (purl) among them")
    return found


def _package(component: dict[str, Any]) -> _Package:
    # pkg:pypi/idna@3.7?x=y: type, name with what it belongs to, version
    kind, _, rest = str(component["purl"]).removeprefix("pkg:").partition("/")
    name, _, version = rest.partition("?")[0].partition("#")[0].rpartition("@")
    plain = unquote(name or version)
    if kind == "deb":
        plain = plain.rpartition("/")[2]
    given = component.get("licenses") or ()
    return _Package(
        _ECOSYSTEMS.get(kind, kind), plain.lower() if kind == "pypi" else plain, unquote(version), tuple(_ids(given))
    )


def _ids(licences: Sequence[Any]) -> Iterator[str]:
    for one in licences:
        if isinstance(one, dict):
            inner = one.get("license") or {}
            told = one.get("expression") or inner.get("id") or inner.get("name")
            if told:
                yield str(told)


def _refused(packages: Sequence[_Package], allowed: Sequence[str]) -> list[str]:
    """Packages with a licence that is not allowed, or with none: nobody knows what those ask for."""
    found = []
    for one in packages:
        # Of several licences all hold; an expression counts as written, `MIT OR Apache-2.0` may stand in the list.
        bad = [licence for licence in one.licences if licence not in allowed]
        if bad or not one.licences:
            found.append(f"{one.name} {one.version}: {', '.join(bad) or 'no licence'}")
    return sorted(found)


def _database(path: Path) -> list[dict[str, Any]]:
    """The records of a file in OSV's format: a list of them, or an object with such a list as `vulns`."""
    given = _json(path, path.name)
    records = given.get("vulns") if isinstance(given, dict) else given
    if not isinstance(records, list) or not all(isinstance(one, dict) and one.get("id") for one in records):
        raise _UnknownError(f"{path.name} holds no list of OSV records")
    return [one for one in records if not one.get("withdrawn")]


def _vulnerable(packages: Sequence[_Package], known: Sequence[dict[str, Any]]) -> list[str]:
    found = set()
    for one in packages:
        for record in known:
            if any(_affects(affected, one) for affected in record.get("affected") or ()):
                found.add(f"{one.name} {one.version}: {record['id']}")
    return sorted(found)


def _affects(affected: dict[str, Any], package: _Package) -> bool:
    """Whether a package is among what a record says is affected; what cannot be compared counts as affected."""
    about = affected.get("package") or {}
    # Debian's are `Debian:12`.
    name, ecosystem = str(about.get("name", "")), str(about.get("ecosystem", "")).partition(":")[0]
    if ecosystem != package.ecosystem or (name.lower() if ecosystem == "PyPI" else name) != package.name:
        return False
    if package.version in (affected.get("versions") or ()):
        return True
    ranges = [one for one in affected.get("ranges") or () if one.get("type") in ("ECOSYSTEM", "SEMVER")]
    return any(_in_range(one.get("events") or (), package.version) for one in ranges)


def _in_range(events: Sequence[dict[str, str]], version: str) -> bool:
    """OSV's evaluation: the last event at or before the version decides."""
    try:
        own, affected = Version(version), False
        for event in sorted(events, key=_at):
            if "introduced" in event and (event["introduced"] == "0" or own >= Version(event["introduced"])):
                affected = True
            fixed = "fixed" in event and own >= Version(event["fixed"])
            if fixed or ("last_affected" in event and own > Version(event["last_affected"])):
                affected = False
    except InvalidVersion:
        return True
    return affected


def _at(event: dict[str, str]) -> Version:
    bound = next(iter(event.values()))
    return Version("0.dev0" if bound == "0" else bound)


def _json(path: Path, place: str) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise _UnknownError(f"{place} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise _UnknownError(f"{place} is no JSON: {error}") from None

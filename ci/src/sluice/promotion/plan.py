"""What a promotion would change: image by image, chart by chart. Pure."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from sluice.domain import Image


@dataclass(frozen=True)
class ImageChange:
    """An image that runs in some containers as `now`, digests, and would run as `then`; without `now` it is new."""

    name: str
    now: tuple[str, ...]
    then: str

    @property
    def changes(self) -> bool:
        """Whether anything would run that does not now."""
        return self.now != (self.then,)


@dataclass(frozen=True)
class ChartChange:
    """What a chart's release would change: objects by `Kind/name`, and the lines of a unified diff."""

    name: str
    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    diff: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether anything would differ."""
        return bool(self.new or self.changed or self.gone)


@dataclass(frozen=True)
class Plan:
    """What a promotion would change on a target. `now` is the id of the release that is verified there, or empty."""

    target: str
    release: str
    now: str
    images: tuple[ImageChange, ...]
    charts: tuple[ChartChange, ...]


def image_changes(images: Sequence[Image], running: Mapping[str, Sequence[str]]) -> tuple[ImageChange, ...]:
    """Return what becomes of each image; `running` has the references that containers run, by container's name."""
    used = {reference for references in running.values() for reference in references}
    return tuple(ImageChange(one.name, tuple(sorted(_digests(one, used))), one.digest) for one in images)


def _digests(image: Image, used: set[str]) -> Iterator[str]:
    for reference in used:
        repository, meant = parted(reference)
        if repository == image.repository:
            yield meant or repository


def parted(reference: str) -> tuple[str, str]:
    """Return a reference's repository, and which of its images is meant: by digest, else by tag, else by neither."""
    name, _, digest = reference.partition("@")
    before, colon, tag = name.rpartition(":")
    repository, tag = (before, tag) if colon and "/" not in tag else (name, "")  # a colon before a slash is a port's
    return repository, digest or tag


def chart_change(name: str, now: str, then: str) -> ChartChange:
    """Return what differs between two manifests, as helm gives them: YAML documents."""
    before, after = _objects(now), _objects(then)
    diff: list[str] = []
    for one in sorted({*before, *after}):
        old, new = before.get(one, ""), after.get(one, "")
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), one, one, lineterm="", n=2)
        diff += lines
    return ChartChange(
        name,
        tuple(sorted(set(after) - set(before))),
        tuple(sorted(one for one in set(after) & set(before) if after[one] != before[one])),
        tuple(sorted(set(before) - set(after))),
        tuple(diff),
    )


def _objects(manifest: str) -> dict[str, str]:
    """The objects of a manifest, each spelled one way: comments and the order of keys are no change."""
    found = {}
    for document in yaml.safe_load_all(manifest):
        if isinstance(document, dict) and "kind" in document:
            found[f"{document['kind']}/{document['metadata']['name']}"] = yaml.safe_dump(document, sort_keys=True)
    return found

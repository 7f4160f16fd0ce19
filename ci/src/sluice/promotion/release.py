"""A release: what a passing run proved, bound together by digests, so that one signature speaks of all of it.

It travels as an OCI artifact (image-spec 1.1, artifactType) whose layers are the files named here.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from sluice.domain import Evidence, Image, Level, Service, Verdict, dump
from sluice.errors import SluiceError, in_a_line

SCHEMA: Literal["sluice.release/v1"] = "sluice.release/v1"
ARTIFACT_TYPE = "application/vnd.sluice.release.v1"
REPOSITORY = "releases"  # below a registry's path; the tag is the release's id
RELEASE, VERDICT, EVIDENCE, POLICY, CONTENT = (
    "release.json",
    "verdict.json",
    "evidence.json",
    "policy.toml",
    "content.tar",
)
BOUND = (VERDICT, EVIDENCE, POLICY, CONTENT)
FILES = (RELEASE, *BOUND)
Kind = Literal["cyclonedx", "slsaprovenance1"]  # as cosign calls the types of what it attests
ATTESTED: Mapping[Kind, str] = {"cyclonedx": "SBOM", "slsaprovenance1": "provenance"}
MEANING: Mapping[Level, int] = {"fail": 0, "warn": 1, "pass": 2}


@dataclass(frozen=True)
class Release:
    """`id` is its run's, `at` when that ended (seconds since the epoch), `files` the digests of what goes with it.

    `images` are the services', `components` those of third-party programs that charts are installed with.
    """

    schema: Literal["sluice.release/v1"]
    id: str
    at: float
    revision: str
    source_digest: str
    level: Level
    score: float
    images: tuple[Image, ...]
    components: tuple[Image, ...]
    services: tuple[Service, ...]
    files: dict[str, str]

    def image(self, service: str) -> Image:
        """The image of a service; each has one."""
        return next(one for one in self.images if one.name == service)

    def among(self, names: Collection[str]) -> dict[str, Image]:
        """The components of these names that it has, by name."""
        return {one.name: one for one in self.components if one.name in names}

    @property
    def everything(self) -> tuple[Image, ...]:
        """All images that a target needs."""
        return (*self.images, *self.components)


def digest_of(data: bytes) -> str:
    """The digest of a file's content, as OCI writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def why_no_release(evidence: Evidence, verdict: Verdict) -> list[str]:
    """Return everything that keeps a run from becoming a release; empty where nothing does."""
    return [
        said
        for said, holds in (
            (f"its verdict is {verdict.level}, score {verdict.score:g} of 100", verdict.level == "fail"),
            ("its tree had edits that are in no revision", evidence.dirty),
            (f"it ran a part of the tests only: {evidence.partial}", bool(evidence.partial)),
            ("it has no image", not evidence.images),
            ("it has no revision", not evidence.revision),
        )
        if holds
    ]


def misfits(
    release: Release, files: Mapping[str, bytes], verdict: Verdict, judged: Callable[[], Verdict]
) -> Iterator[str]:
    """What does not fit together in a release whose signature is good; `judged` computes its verdict anew.

    A verdict speaks of digests: of another image it says nothing.
    """
    for name in BOUND:
        found = digest_of(files[name])
        if release.files.get(name) != found:
            yield f"{name} is not the one that was released: {found[:19]}, released {release.files.get(name, '')[:19]}"
    if verdict.run_id != release.id:
        yield f"its verdict is of the run {verdict.run_id}"
    proven, released = set(verdict.digests), {image.digest for image in release.images}
    for image in release.images:
        if image.digest not in proven:
            yield f"its verdict says nothing of the image {image.name} {image.digest[:19]}"
    for digest in sorted(proven - released):
        yield f"its verdict is of {digest[:19]} too, which is not released"
    for service in release.services:
        if service.name not in {image.name for image in release.images}:
            yield f"it has no image of the service {service.name}"
    try:
        again = judged()
    except SluiceError as error:  # what was exchanged may be no evidence at all
        yield f"its verdict cannot be computed again: {in_a_line(error)}"
        return
    if dump(again) != dump(verdict):
        yield f"its evidence makes a verdict of {again.level}, score {again.score:g}, not the one that goes with it"


def why_not_accepted(release: Release, verdict: Verdict, accept: Level) -> str:
    """Return why a target does not take a verdict; empty where it does. `accept` is the worst that it takes."""
    if MEANING[verdict.level] >= MEANING[accept] and verdict.level != "fail":
        return ""
    reasons = "; ".join(verdict.reasons[:3]) or "no reason given"
    return f"the verdict of {release.id} is {verdict.level}, score {verdict.score:g}: {reasons}"

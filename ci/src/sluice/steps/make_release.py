"""From a passing run, a release: SBOM and provenance of every image, all signed, and one artifact that binds it."""

import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.domain import Component, Evidence, Image, Service, Verdict, dump, load
from sluice.errors import EvidenceError
from sluice.policy import load_policy
from sluice.promotion import provenance, release
from sluice.promotion.release import ATTESTED, Kind, Release, digest_of, why_no_release
from sluice.steps.evaluate_gate import evaluate_gate
from sluice.steps.install_charts import GRAFANA, LOGGING_IMAGES, MONITORING_IMAGES, SIDECARS

_INSTALLED = (*MONITORING_IMAGES, *LOGGING_IMAGES, *SIDECARS.values(), GRAFANA)


@dataclass(frozen=True)
class Tools:
    """What a release is made with. References name what they mean by digest.

    `archive` gives a revision's charts as a tar, `definitions` is the folder with the operator's. `bring` returns an
    image where releases are kept, brought there if the run left it elsewhere. `push` takes the release's id, a folder
    and the names of its files, and returns the reference of what it made of them.
    """

    archive: Callable[[str], Awaitable[bytes]]
    definitions: Path
    holds: Callable[[Image], Awaitable[bool]]
    bring: Callable[[Image], Awaitable[Image]]
    sbom: Callable[[str, Path], Awaitable[None]]
    attested: Callable[[str, Kind], Awaitable[bool]]
    attest: Callable[[str, Kind, Path], Awaitable[None]]
    signed: Callable[[str], Awaitable[bool]]
    sign: Callable[[str], Awaitable[None]]
    push: Callable[[str, Path, Sequence[str]], Awaitable[str]]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """A release where it lies, by digest."""

    release: Release
    reference: str


def proven(run: Path) -> tuple[Evidence, Verdict]:
    """Return what a run proved. Raises EvidenceError, with every reason, for one that no release can be made of.

    The verdict is computed again from the evidence: one that somebody edited is not the same.
    """
    evidence = load(Evidence, run / release.EVIDENCE)
    stored = load(Verdict, run / release.VERDICT)
    verdict = evaluate_gate(load_policy(run / release.POLICY), evidence)
    reasons = why_no_release(evidence, verdict)
    if dump(stored) != dump(verdict):
        reasons.append("its verdict is not what its evidence and its policy come to")
    if reasons:
        raise EvidenceError(
            f"no release can be made of the run {evidence.run_id}",
            seen="; ".join(reasons),
            expected="a whole run of a committed tree that passed",
            next_command="commit, then ./nox -s e2e",
        )
    return evidence, verdict


async def make_release(
    run: Path, folder: Path, services: Sequence[Service], tools: Tools, *, builder: str, source: str
) -> Made:
    """Make a release of a run and put it beside its images; done again, it does what is left.

    `folder` is filled with what goes with it. `builder` and `source` are URIs (promotion/provenance.py). Raises
    EvidenceError for a run that proves nothing, for other services than the run's, and for an image that is not where
    the run left it.
    """
    evidence, verdict = proven(run)
    _same_services(services, evidence)
    components = _installed(evidence.components, evidence.images[0])
    await _all_there((*evidence.images, *components), tools)
    images = tuple([await tools.bring(one) for one in evidence.images])
    components = tuple([await tools.bring(one) for one in components])
    for image in images:
        tools.say(f"{image.name}: SBOM, provenance, signature")
        await _attest(image, evidence, folder, tools, builder=builder, source=source)
    content = bundle(await tools.archive(evidence.revision), tools.definitions)
    files = {name: (run / name).read_bytes() for name in release.BOUND if name != release.CONTENT}
    files[release.CONTENT] = content
    made = Release(
        schema=release.SCHEMA,
        id=evidence.run_id,
        at=evidence.ended,
        revision=evidence.revision,
        source_digest=evidence.source_digest,
        level=verdict.level,
        score=verdict.score,
        images=images,
        components=components,
        services=tuple(services),
        files={name: digest_of(data) for name, data in files.items()},
    )
    for name, data in (*files.items(), (release.RELEASE, dump(made))):
        (folder / name).write_bytes(data)
    tools.say("the release's own signature")
    reference = await tools.push(made.id, folder, release.FILES)
    if not await tools.signed(reference):
        await tools.sign(reference)
    return Made(made, reference)


def _same_services(services: Sequence[Service], evidence: Evidence) -> None:
    given, proved = ({one.name for one in several} for several in (services, evidence.images))
    if given != proved:
        raise EvidenceError(
            f"the tree has other services than the run {evidence.run_id} had",
            seen=f"only one of them has {', '.join(sorted(given ^ proved))}",
            expected="the tree as the run had it",
            next_command=f"git checkout {evidence.revision[:12]}, then this again",
        )


async def _all_there(images: Sequence[Image], tools: Tools) -> None:
    missing = [image for image in images if not await tools.holds(image)]
    if missing:
        raise EvidenceError(
            "the registry does not hold what the run proved",
            seen=", ".join(f"{image.name} {image.digest[:19]}" for image in missing),
            expected="every image by its digest; the same revision built again gives the same",
            next_command="./nox -s e2e -- --fast  (on the same revision), then this again",
        )


async def _attest(image: Image, evidence: Evidence, folder: Path, tools: Tools, *, builder: str, source: str) -> None:
    for kind, what in ATTESTED.items():
        file = folder / what.lower() / f"{image.name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        if await tools.attested(image.reference, kind):
            continue
        if kind == "cyclonedx":
            await tools.sbom(image.reference, file)
        else:
            said = provenance.statement(image, evidence, builder=builder, source=source)
            file.write_text(json.dumps(said["predicate"], indent=2))
        await tools.attest(image.reference, kind, file)
    if not await tools.signed(image.reference):
        await tools.sign(image.reference)


def _installed(components: Sequence[Component], beside: Image) -> tuple[Image, ...]:
    """The images of what charts are installed with, in the registry that the services' are in."""
    registry = beside.repository.removesuffix(f"/{beside.name}")
    return tuple(
        Image(one.name, f"{registry}/{one.name}", one.digest, one.size_bytes)
        for one in components
        if one.name in _INSTALLED
    )


def bundle(archive: bytes, definitions: Path) -> bytes:
    """Return what a target is given besides images, as a tar: charts, namespaces, and below crds/ the definitions.

    The same content gives the same bytes, whatever day it is.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as given, tarfile.open(fileobj=out, mode="w") as tar:
        for member in sorted(given.getmembers(), key=lambda one: one.name):
            if member.isfile() or member.issym():
                _add(tar, member.name, given.extractfile(member).read() if member.isfile() else b"", member.linkname)  # type: ignore[union-attr]
        for path in sorted(definitions.rglob("*")):
            if path.is_file():
                _add(tar, f"crds/{path.relative_to(definitions).as_posix()}", path.read_bytes(), "")
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, link: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if link:
        entry.type, entry.linkname = tarfile.SYMTYPE, link
    else:
        entry.size = len(data)
    tar.addfile(entry, None if link else io.BytesIO(data))

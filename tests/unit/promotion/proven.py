"""A run that passed, as it lies on disk, the release that is made of it, and stand-ins for what that is made with."""

import io
import shutil
import tarfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.unit.gate import stored_run

from sluice.domain import Component, Evidence, Image, Service, Verdict, dump
from sluice.policy import load_policy
from sluice.promotion.release import BOUND, Kind, Release, digest_of
from sluice.steps.evaluate_gate import evaluate_gate
from sluice.steps.make_release import Made, Tools, make_release

HELM, LOKI = (
    Component(name, "1", "source", f"sha256:{digit * 64}", "", 7, 1.0) for name, digit in (("helm", "c"), ("loki", "d"))
)
EVIDENCE = replace(stored_run.sound(), components=(HELM, LOKI))
BACKEND = EVIDENCE.images[0]
LOKI_IMAGE = Image("loki", "localhost:5001/loki", LOKI.digest, 7)
SERVICES = (Service("backend", "", "services/backend", 8000, "helm/backend", "backend"),)
POLICY = stored_run.FOLDER / "policy.toml"


def verdict_of(evidence: Evidence) -> Verdict:
    return evaluate_gate(load_policy(POLICY), evidence)


VERDICT = verdict_of(EVIDENCE)


def write_run(folder: Path, evidence: Evidence = EVIDENCE, verdict: Verdict | None = None) -> Path:
    """The folder of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evidence.json").write_bytes(dump(evidence))
    (folder / "verdict.json").write_bytes(dump(verdict or verdict_of(evidence)))
    shutil.copyfile(POLICY, folder / "policy.toml")
    return folder


def archive(
    files: Mapping[str, bytes] | None = None, links: Mapping[str, str] | None = None, *, mtime: int = 0
) -> bytes:
    """A tar, in the order given."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers={"comment": f"of {mtime}"}) as tar:
        for name, content in (files if files is not None else {"helm/backend/Chart.yaml": b"name: backend"}).items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.uid, entry.mode = len(content), mtime, mtime % 7, 0o600 + mtime % 2
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mtime = tarfile.SYMTYPE, target, mtime
            tar.addfile(entry)
    return out.getvalue()


@dataclass
class Workbench:
    """Implements make_release.Tools in a folder: what it holds stays, `done` has what was done in order."""

    folder: Path
    lost: frozenset[str] = frozenset()
    content: bytes = field(default_factory=archive)
    done: list[str] = field(default_factory=list)
    there: set[str] = field(default_factory=set)
    predicates: dict[str, str] = field(default_factory=dict)
    pushed: dict[str, bytes] = field(default_factory=dict)
    revisions: list[str] = field(default_factory=list)
    killed_at: str = ""

    def _do(self, what: str) -> None:
        if what == self.killed_at:
            raise InterruptedError(what)
        self.done.append(what)
        self.there.add(what)

    def _is(self, what: str) -> Callable[..., Awaitable[bool]]:
        async def ask(reference: str, *kind: str) -> bool:
            return " ".join((what, *kind, reference)) in self.there

        return ask

    def tools(self) -> Tools:
        definitions = self.folder / "definitions"
        definitions.mkdir(parents=True, exist_ok=True)
        (definitions / "prometheuses.yaml").write_text("kind: CustomResourceDefinition")

        async def archive_of(revision: str) -> bytes:
            self.revisions.append(revision)
            return self.content

        async def bring(image: Image) -> Image:
            return image

        async def holds(image: Image) -> bool:
            return image.name not in self.lost

        async def sbom(reference: str, file: Path) -> None:
            file.write_text('{"bomFormat": "CycloneDX"}')

        async def attest(reference: str, kind: Kind, file: Path) -> None:
            self._do(f"attested {kind} {reference}")
            self.predicates[kind] = file.read_text()

        async def sign(reference: str) -> None:
            self._do(f"signed {reference}")

        async def push(release: str, folder: Path, files: Sequence[str]) -> str:
            self.pushed = {name: (folder / name).read_bytes() for name in files}
            digest = digest_of(b"".join(self.pushed.values()))
            self._do(f"pushed {release}")
            return f"localhost:5001/releases@{digest}"

        return Tools(
            archive=archive_of,
            definitions=definitions,
            holds=holds,
            bring=bring,
            sbom=sbom,
            attested=self._is("attested"),
            attest=attest,
            signed=self._is("signed"),
            sign=sign,
            push=push,
            say=lambda _: None,
        )

    async def make(self, run: Path, services: Sequence[Service] = SERVICES) -> Made:
        """Make a release, with the source and the builder that tests look for."""
        into = self.folder / "made"
        into.mkdir(parents=True, exist_ok=True)
        source = "git+https://example.org/tree"
        return await make_release(run, into, services, self.tools(), builder="https://ci", source=source)


def files_of(evidence: Evidence = EVIDENCE, content: bytes = b"") -> dict[str, bytes]:
    """What a release binds."""
    judged = (dump(verdict_of(evidence)), dump(evidence), POLICY.read_bytes(), content)
    return dict(zip(BOUND, judged, strict=True))


def release_of(files: Mapping[str, bytes], evidence: Evidence = EVIDENCE) -> Release:
    """The release of these files."""
    return Release(
        schema="sluice.release/v1",
        id=evidence.run_id,
        at=evidence.ended,
        revision=evidence.revision,
        source_digest=evidence.source_digest,
        level="pass",
        score=100.0,
        images=evidence.images,
        components=(LOKI_IMAGE,),
        services=SERVICES,
        files={name: digest_of(data) for name, data in files.items()},
    )

"""A release out of a registry: its signature first, and then whether all of it fits together."""

import shutil
import tarfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from sluice.domain import Evidence, Image, Verdict, load
from sluice.errors import EvidenceError, PromotionRefused
from sluice.policy import load_policy
from sluice.promotion import release
from sluice.promotion.release import Release, misfits
from sluice.steps.evaluate_gate import evaluate_gate

Pull = Callable[[str, Path], Awaitable[None]]
Verify = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Fetched:
    """A release at hand: `reference` is where it lies, by digest; `folder` has its files, `content` its charts."""

    release: Release
    verdict: Verdict
    reference: str
    folder: Path

    @property
    def digest(self) -> str:
        """What it is known by in ledgers."""
        return self.reference.partition("@")[2]

    @property
    def content(self) -> Path:
        """The folder with charts, namespaces and definitions."""
        return self.folder / "content"

    def at(self, repository: str) -> "Fetched":
        """The same with its images in another registry's path."""
        return Fetched(moved(self.release, repository), self.verdict, self.reference, self.folder)


def moved(made: Release, repository: str) -> Release:
    """A release with its images in another registry's path, under the same digests."""

    def move(images: tuple[Image, ...]) -> tuple[Image, ...]:
        return tuple(Image(one.name, f"{repository}/{one.name}", one.digest, one.size_bytes) for one in images)

    return Release(**{**vars(made), "images": move(made.images), "components": move(made.components)})


async def fetch_release(reference: str, folder: Path, *, verify: Verify, pull: Pull) -> Fetched:
    """Return the release at a reference by digest, its content laid out below `folder`.

    Raises SignatureRefused where it is not signed by who may, PromotionRefused with everything that does not fit,
    EvidenceError where a file is missing or not whole.
    """
    await verify(reference)
    folder.mkdir(parents=True, exist_ok=True)
    await pull(reference, folder)
    _all_there(reference, folder)
    made = load(Release, folder / release.RELEASE)
    verdict = load(Verdict, folder / release.VERDICT)
    files = {name: (folder / name).read_bytes() for name in release.BOUND}
    judged = partial(_judged, folder)
    found = list(misfits(made, files, verdict, judged))
    if found:
        raise PromotionRefused(
            f"the release {made.id}", found, expected="what was signed", next_command="./nox -s release"
        )
    fetched = Fetched(made, verdict, reference, folder)
    _unpack(folder / release.CONTENT, fetched.content)
    return fetched


def _all_there(reference: str, folder: Path) -> None:
    missing = [name for name in release.FILES if not (folder / name).is_file()]
    if missing:
        raise EvidenceError(
            f"{reference} is no release",
            seen=f"an artifact without {', '.join(missing)}",
            expected=", ".join(release.FILES),
            next_command="./nox -s release",
        )


def _unpack(archive: Path, into: Path) -> None:
    """Lay a tar out. Python's own filter (PEP 706) came with 3.11.4, and Debian 12 has 3.11.2."""
    shutil.rmtree(into, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            _stay_inside(members)
            for member in members:
                target = into / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                if member.issym():
                    target.symlink_to(member.linkname)
                elif (content := tar.extractfile(member)) is not None:
                    target.write_bytes(content.read())
    except tarfile.TarError as error:
        raise EvidenceError(
            f"{archive.name} cannot be unpacked",
            seen=str(error),
            expected="a tar of files that stay in its folder",
            next_command="./nox -s release",
        ) from None


def _stay_inside(members: Sequence[tarfile.TarInfo]) -> None:
    """Refuse what is neither a file nor a link, what lies outside, and what is reached through a link.

    A link leads up only at its beginning: its folder is none by a link, so that counting tells where it leads.
    """
    links = {PurePosixPath(member.name) for member in members if member.issym()}
    seen: set[PurePosixPath] = set()
    for member in members:
        path, to = PurePosixPath(member.name), PurePosixPath(member.linkname)
        if not (member.isreg() or member.issym()):
            raise tarfile.TarError(f"{member.name} is neither a file nor a link")
        if path.is_absolute() or ".." in path.parts or path in seen or links.intersection(path.parents):
            raise tarfile.TarError(f"{member.name} lies outside, below a link, or is there twice")
        up = sum(part == ".." for part in to.parts)
        if member.issym() and (to.is_absolute() or ".." in to.parts[up:] or up >= len(path.parts)):
            raise tarfile.TarError(f"{member.name} is a link to {member.linkname}, which leads outside")
        seen.add(path)


def _judged(folder: Path) -> Verdict:
    return evaluate_gate(load_policy(folder / release.POLICY), load(Evidence, folder / release.EVIDENCE))

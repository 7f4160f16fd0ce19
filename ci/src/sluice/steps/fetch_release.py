"""A release out of a registry: its signature first, and then whether all of it fits together."""

import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(into, filter=_inside)
    except tarfile.TarError as error:  # a member that leads out of the folder is one too
        raise EvidenceError(
            f"{archive.name} cannot be unpacked",
            seen=str(error),
            expected="a tar of files that stay in its folder",
            next_command="./nox -s release",
        ) from None


def _inside(member: tarfile.TarInfo, into: str) -> tarfile.TarInfo:
    if member.name.startswith("/"):  # from which the other filter takes the slash
        raise tarfile.AbsolutePathError(member)
    return tarfile.data_filter(member, into)


def _judged(folder: Path) -> Verdict:
    return evaluate_gate(load_policy(folder / release.POLICY), load(Evidence, folder / release.EVIDENCE))

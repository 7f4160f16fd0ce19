"""What releases are made, signed and copied with: the programs, the key, and where releases are kept."""

import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from sluice.adapters.process import run as run_program
from sluice.adapters.registry.access import Access
from sluice.adapters.registry.cosign import Cosign
from sluice.adapters.registry.oras import Oras
from sluice.adapters.registry.syft import Syft
from sluice.bootstrap import Toolbox
from sluice.domain import Image
from sluice.errors import HostError, SignatureRefused
from sluice.files import write_atomically
from sluice.promotion.release import ARTIFACT_TYPE, REPOSITORY, Kind
from sluice.run import Run
from sluice.settings import Settings
from sluice.steps import make_release
from sluice.supply import artifact

_NOWHERE = "git+urn:sluice:tree"  # there is no repository but this one
_CHARTS = ("helm", "k8s-fixtures/namespaces.yaml")


@dataclass(frozen=True)
class Place:
    """A registry's path, and how the registry is spoken to."""

    repository: str
    access: Access


@dataclass(frozen=True)
class ReleaseTools:
    """The programs, bound to a run's logs."""

    cosign: Cosign
    oras: Oras
    syft: Syft


async def release_tools(box: Toolbox, run: Run) -> ReleaseTools:
    """Return the programs, obtained first."""
    cosign, oras, syft = await box.supply.get_all("cosign", "oras", "syft")
    work = run.folder / "work" / "cosign"
    work.mkdir(parents=True, exist_ok=True)
    return ReleaseTools(
        Cosign(artifact.program(cosign), work, run.logs / "cosign.log"),
        Oras(artifact.program(oras), run.logs / "oras.log"),
        Syft(artifact.program(syft), run.logs / "syft.log"),
    )


async def built_place(box: Toolbox) -> Place:
    """Where runs leave their images: this host's registry."""
    return Place((await box.registry()).host, Access(plain=True))


async def releases_place(box: Toolbox) -> Place:
    """Where releases are kept, with their images: [release] repository, else this host's registry."""
    settings = box.settings.release
    if settings.repository:
        ca = Path(settings.ca).expanduser() if settings.ca else None
        credentials = Path(settings.credentials).expanduser() if settings.credentials else None
        return Place(settings.repository, Access(credentials=credentials, ca=ca))
    return await built_place(box)


@dataclass(frozen=True)
class Key:
    """A pair of keys: files, and the password of the private one."""

    private: Path
    public: Path
    password: str


async def signing_key(root: Path, home: Path, settings: Settings, cosign: Cosign) -> Key:
    """Return the key that releases are signed with: [release] key, else one of this tree's own, made the first time.

    The password is in the file that [release] password_file names, else in COSIGN_PASSWORD. Raises HostError without.
    """
    given = settings.release
    if given.key:
        private = root / Path(given.key).expanduser()
        return Key(private, private.with_suffix(".pub"), _password(root, given.password_file))
    folder = home / "keys"
    private, password = folder / "cosign.key", folder / "password"
    if not private.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        write_atomically(password, secrets.token_urlsafe(32).encode(), private=True)
        await cosign.generate_key_pair(folder, password.read_text())
    return Key(private, folder / "cosign.pub", _password(root, str(password.absolute())))


def _password(root: Path, file: str) -> str:
    if file:
        try:
            return (root / Path(file).expanduser()).read_text().rstrip("\n")
        except OSError as error:
            seen = f"{file}: {error.strerror}"
        except UnicodeDecodeError:
            seen = f"{file}: not UTF-8"
    elif "COSIGN_PASSWORD" in os.environ:
        return os.environ["COSIGN_PASSWORD"]
    else:
        seen = "neither [release] password_file nor COSIGN_PASSWORD"
    raise HostError(
        "no password of the key that releases are signed with",
        seen=seen,
        expected="the password, in a file or in the environment",
        next_command="set [release] password_file in sluice.toml",
    )


def make_tools(
    root: Path, run: Run, tools: ReleaseTools, places: tuple[Place, Place], key: Key, definitions: Path
) -> make_release.Tools:
    """Return what steps/make_release.py works with; `places`: where runs leave images, and where releases are kept."""
    built, place = places
    cosign, access = tools.cosign, place.access

    async def holds(image: Image) -> bool:
        return await tools.oras.resolve(image.reference, built.access) is not None

    async def bring(image: Image) -> Image:
        if place.repository == built.repository:
            return image
        there = replace(image, repository=f"{place.repository}/{image.name}")
        await tools.oras.copy(image.reference, there.repository, source_access=built.access, target_access=access)
        return there

    async def signed(reference: str) -> bool:
        try:
            await cosign.verify(reference, key.public, access)
        except SignatureRefused:
            return False
        return True

    async def attested(reference: str, kind: Kind) -> bool:
        try:
            await cosign.attestation(reference, kind, key.public, access)
        except SignatureRefused:
            return False
        return True

    async def attest(reference: str, kind: Kind, predicate: Path) -> None:
        await cosign.attest(reference, predicate, kind, key.private, key.password, access)

    async def push(release: str, folder: Path, files: Sequence[str]) -> str:
        where = f"{place.repository}/{REPOSITORY}"
        return f"{where}@{await tools.oras.push(f'{where}:{release}', folder, files, ARTIFACT_TYPE, access)}"

    return make_release.Tools(
        archive=partial(_archive, root),
        definitions=definitions,
        holds=holds,
        bring=bring,
        sbom=lambda reference, file: tools.syft.sbom(reference, file, access),
        attested=attested,
        attest=attest,
        signed=signed,
        sign=lambda reference: cosign.sign(reference, key.private, key.password, access),
        push=push,
        say=partial(run.progress.update, "make release"),
    )


async def _archive(root: Path, revision: str) -> bytes:
    """A revision's charts as a tar: what was proven, whatever the tree holds now."""
    with tempfile.NamedTemporaryFile() as file:
        await run_program(
            ["git", "archive", "--format=tar", f"--output={file.name}", revision, *_CHARTS],
            cwd=root,
            deadline_seconds=60,
            what=f"reading the charts of {revision[:12]}",
        )
        return Path(file.name).read_bytes()


def builder_of() -> str:
    """Who builds here, as a URI: a workflow's run where there is one, else this host (slsa.dev: builder.id)."""
    server, repository, number = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository and number:
        return f"{server}/{repository}/actions/runs/{number}"
    return f"urn:sluice:host:{socket.gethostname()}"


def source_of(root: Path) -> str:
    """The repository as a URI, without a user or a password in it."""
    words = ["git", "-C", str(root), "remote", "get-url", "origin"]
    found = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    if "://" in found:
        try:
            parts = urlsplit(found)
            host = parts.netloc.rpartition("@")[2] if parts.port is None or parts.port else ""
        except ValueError:  # of what is no port it is not known whether it is a password
            host = ""
        return f"git+{parts.scheme}://{host}{parts.path}" if host else _NOWHERE
    host, colon, path = found.partition(":")  # as scp writes it (git-scm.com/docs/git-clone, GIT URLS)
    return f"git+ssh://{host.rpartition('@')[2]}/{path.lstrip('/')}" if colon and "/" not in host else _NOWHERE

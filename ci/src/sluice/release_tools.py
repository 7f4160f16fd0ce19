"""What releases are made, signed and copied with: the programs, who signs, and where releases are kept."""

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
from sluice.promotion.signing import Identity, Key, Keyless, Signer
from sluice.run import Run
from sluice.settings import ReleaseSettings, Settings
from sluice.steps import make_release
from sluice.supply import artifact

_NOWHERE = "git+urn:sluice:tree"  # there is no repository but this one
# Where cosign finds a token, or what it asks GitHub for one with.
_TOKENS = ("SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
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


async def release_signer(root: Path, home: Path, settings: Settings, cosign: Cosign) -> Signer:
    """Return who signs releases: the identity of [release] keyless, else [release] key, else a key of this tree's own.

    That is made the first time. A key's password is in the file that [release] password_file names, else in
    COSIGN_PASSWORD. Raises HostError without it, and where there is no token that tells an identity.
    """
    given = settings.release
    if given.keyless:
        return _keyless(root, given)
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


def _keyless(root: Path, given: ReleaseSettings) -> Keyless:
    """As https://docs.github.com/actions/reference/openid-connect-reference, and Fulcio's pkg/identity/github."""
    if not any(os.environ.get(name) for name in _TOKENS):
        raise HostError(
            "a release cannot be signed without a key here",
            seen=f"neither {' nor '.join(_TOKENS)} in the environment",
            expected="an identity: a workflow with `permissions: id-token: write`, or an OIDC token",
            next_command="run it in such a workflow, or sign with a key: docs/promotion.md",
        )
    server, workflow = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "WORKFLOW_REF"))
    subject = given.subject or (f"{server}/{workflow}" if server and workflow else "")
    if not subject:
        raise HostError(
            "as whom a release is signed without a key is not known",
            seen="no [release] subject, and this is no workflow of GitHub's",
            expected="the name that the certificate will have",
            next_command="set [release] subject in sluice.toml, or SLUICE_RELEASE_SUBJECT",
        )
    files = (given.signing_config, given.trusted_root)
    config, keys = (root / Path(file).expanduser() if file else None for file in files)
    return Keyless(Identity(given.issuer, subject, str(keys or "")), config)


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
    root: Path, run: Run, tools: ReleaseTools, places: tuple[Place, Place], signer: Signer, definitions: Path
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
            await cosign.verify(reference, signer.trusted, access)
        except SignatureRefused:
            return False
        return True

    async def attested(reference: str, kind: Kind) -> bool:
        try:
            await cosign.attestation(reference, kind, signer.trusted, access)
        except SignatureRefused:
            return False
        return True

    async def attest(reference: str, kind: Kind, predicate: Path) -> None:
        await cosign.attest(reference, predicate, kind, signer, access)

    async def sign(reference: str) -> None:
        await cosign.sign(reference, signer, access)
        # As targets will ask: is the public half that of the key, has the certificate the name that we think?
        await cosign.verify(reference, signer.trusted, access)

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
        sign=sign,
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

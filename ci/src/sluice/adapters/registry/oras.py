"""oras: copying images with all that refers to them, and keeping releases as artifacts in a registry."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from sluice.adapters.process import run
from sluice.adapters.registry.access import Access, by_digest
from sluice.errors import CommandFailed

_COPY_SECONDS = 900
_TRANSFER_SECONDS = 300
_ASK_SECONDS = 60
# The one annotation that oras would fill in with the time of day, by which the same files got another digest each time.
_CREATED = "org.opencontainers.image.created=1970-01-01T00:00:00Z"
_MEDIA_TYPES = {
    ".json": "application/json",
    ".toml": "application/toml",
    ".tar": "application/vnd.oci.image.layer.v1.tar",
}
_REFERRERS_TAG = "sha256-"


class Oras:
    """oras against any registries; `log` gets what it says."""

    def __init__(self, program: Path, log: Path) -> None:
        self._program = program
        self._log = log

    async def copy(
        self,
        source: str,
        target: str,
        *,
        source_access: Access,
        target_access: Access,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Copy what `source` names by digest, with its signatures and attestations, to a repository or a tag of it.

        What is there already does not travel, and a copy that was killed is completed by another. `on_line` gets a
        line for each part. Raises CommandFailed with what the registry said.
        """
        # Forced: without it, what has arrived is passed over, and with it the entry in the list of referrers that a
        # killed copy did not get to, where the registry has no referrers API.
        words: list[str | Path] = ["cp", "--recursive", "--force", "--no-tty"]
        words += [*_options(source_access, "from-"), *_options(target_access, "to-")]
        await run(
            [self._program, *words, by_digest(source), target],
            deadline_seconds=_COPY_SECONDS,
            log=self._log,
            on_line=on_line,
            what=f"copying {source} to {target}",
        )

    async def push(self, reference: str, folder: Path, files: Sequence[str], artifact_type: str, access: Access) -> str:
        """Push files of a folder as an artifact under a tag, one layer each, and return its digest.

        The same files give the same digest. Raises CommandFailed with what the registry said.
        """
        words: list[str | Path] = ["push", "--no-tty", "--format", "json", "--annotation", _CREATED]
        words += ["--artifact-type", artifact_type, *_options(access), reference]
        words += [f"{file}:{_MEDIA_TYPES.get(PurePath(file).suffix, 'application/octet-stream')}" for file in files]
        done = await run(
            [self._program.resolve(), *words],
            cwd=folder,
            deadline_seconds=_TRANSFER_SECONDS,
            log=self._log.resolve(),
            what=f"pushing {reference}",
        )
        try:
            return str(json.loads(done.stdout)["digest"])
        except (ValueError, LookupError, TypeError):
            raise CommandFailed(
                f"oras did not tell the digest of {reference}",
                status=done.status,
                seen=done.stdout[:200] or "nothing",
                expected="JSON with `digest`",
                next_command=f"{self._program} version",
            ) from None

    async def pull(self, reference: str, folder: Path, access: Access) -> None:
        """Write an artifact's files into a folder, over those that are there. Raises CommandFailed."""
        await run(
            [self._program, "pull", "--no-tty", "--output", folder, *_options(access), reference],
            deadline_seconds=_TRANSFER_SECONDS,
            log=self._log,
            what=f"pulling {reference}",
        )

    async def resolve(self, reference: str, access: Access) -> str | None:
        """Return the digest that a tag, or a digest, names; None where the registry has no such.

        Raises CommandFailed where it does not answer, or refuses.
        """
        try:
            done = await run(
                [self._program, "resolve", *_options(access), reference],
                deadline_seconds=_ASK_SECONDS,
                log=self._log,
                what=f"resolving {reference}",
            )
        except CommandFailed as error:
            if error.seen.endswith(": not found"):
                return None
            raise
        return done.stdout.strip()

    async def tags(self, repository: str, access: Access) -> list[str]:
        """Return a repository's tags in the registry's order, without those that only list referrers.

        Empty where there is no such repository. Raises CommandFailed where the registry does not answer, or refuses.
        """
        try:
            done = await run(
                [self._program, "repo", "tags", *_options(access), repository],
                deadline_seconds=_ASK_SECONDS,
                log=self._log,
                what=f"listing {repository}",
            )
        except CommandFailed as error:
            if "name unknown" in error.seen:
                return []
            raise
        return [tag for tag in done.stdout.split() if not tag.startswith(_REFERRERS_TAG)]


def _options(access: Access, side: str = "") -> list[str | Path]:
    """The flags of one registry; `side` is from- or to- where a command has two."""
    access.environment()  # for what it raises: here each file is named by a flag
    # Said in either case: left alone, oras takes any registry of localhost for a plain one.
    words: list[str | Path] = [f"--{side}plain-http={'true' if access.plain else 'false'}"]
    if access.credentials:
        words += [f"--{side}registry-config", access.credentials.resolve()]
    if access.ca:
        words += [f"--{side}ca-file", access.ca.resolve()]
    return words

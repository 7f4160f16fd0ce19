"""cosign: with a pair of keys offline, so that nothing is asked of Sigstore's public services; or without a key.

A signature is a Sigstore bundle (https://docs.sigstore.dev/about/bundle/) that refers to the image: an OCI referrer,
or an entry of the tag sha256-<digest> where the registry has no referrers API.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio

from sluice.adapters.process import Completed, run
from sluice.adapters.registry.access import Access, by_digest
from sluice.adapters.registry.signers import signing, verifying, who_signed
from sluice.errors import CommandFailed, HostError, NotReady, SignatureRefused
from sluice.promotion.release import Kind
from sluice.promotion.signing import Signer, Trusted

_SECONDS = 120
_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"  # the predicate type of what `cosign sign` makes
_ERROR = "Error: "
_NO_MATCH = "no matching attestations:"
_OTHER_KIND = "none of the attestations matched the predicate type"
_UNSIGNED, _NO_MATCHING_SIGNATURE = 10, 12  # exit statuses, https://github.com/sigstore/cosign, cmd/cosign/errors


class Cosign:
    """Signs and verifies by digest. `work` is a folder of its own, `log` gets what cosign says."""

    def __init__(self, program: Path, work: Path, log: Path) -> None:
        self._program = program
        self._work = work
        self._log = log
        # Where there is no referrers API, who writes reads a list, adds to it and writes it back.
        self._one_at_a_time: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def generate_key_pair(self, folder: Path, password: str) -> tuple[Path, Path]:
        """Make cosign.key, encrypted with the password, and cosign.pub in a folder, and return their paths.

        Raises HostError where one of them is there already, CommandFailed where cosign fails.
        """
        private, public = folder / "cosign.key", folder / "cosign.pub"
        if there := [path for path in (private, public) if path.exists()]:
            raise HostError(
                "a pair of keys is not replaced",
                seen=f"{there[0]} is there",
                expected="a folder without keys: what the old ones signed could not be verified any more",
                next_command=f"mv {there[0]} {there[0]}.old",
            )
        folder.mkdir(parents=True, exist_ok=True)
        await run(
            [self._program.resolve(), "generate-key-pair", "--output-key-prefix", "cosign"],
            deadline_seconds=_SECONDS,
            cwd=folder,
            env={"COSIGN_PASSWORD": password},
            log=self._log,
            what="generating a pair of keys",
        )
        return private, public

    async def sign(self, reference: str, signer: Signer, access: Access) -> None:
        """Sign what a reference names by digest. Raises CommandFailed with cosign's words, NotReady in time."""
        await self._write("sign", reference, [], signer, access)

    async def attest(self, reference: str, predicate: Path, kind: Kind, signer: Signer, access: Access) -> None:
        """Attach a signed in-toto statement: about the image, of a kind, with the predicate that a JSON file holds.

        Raises CommandFailed with cosign's words, such as that the file is not what the kind asks for.
        """
        await self._write("attest", reference, ["--type", kind, "--predicate", predicate], signer, access)

    async def verify(self, reference: str, trusted: Trusted, access: Access) -> None:
        """Return where who is trusted signed exactly this digest.

        Raises SignatureRefused where nobody did (`signed` is false), or somebody else; CommandFailed for any other
        trouble, such as a registry that does not answer.
        """
        done = await self._read("verify", reference, [], trusted, access, self._log)
        try:
            kinds = {str(one["critical"]["type"]) for one in json.loads(done.stdout)}
        except (ValueError, LookupError, TypeError):
            raise self._not_understood(done, f"verifying {reference}") from None
        # To cosign any statement that they signed will do, an SBOM's too; to us an SBOM is no signature.
        if _SIGNATURE not in kinds:
            raise _refused(reference, trusted, signed=False, seen=f"no signature, only {', '.join(sorted(kinds))}")

    async def attestation(self, reference: str, kind: Kind, trusted: Trusted, access: Access) -> dict[str, Any]:
        """Return the predicate of the statement of a kind that who is trusted signed about this digest.

        Where there are several, it is one of them. Raises what `verify` does.
        """
        # What is printed is the statement itself, megabytes of it: not for the log.
        done = await self._read("verify-attestation", reference, ["--type", kind], trusted, access)
        try:
            envelope = json.loads(done.stdout.split("\n", 1)[0])  # DSSE: the payload is the statement in base64
            predicate = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
            return dict(predicate.items())
        except (ValueError, LookupError, TypeError, AttributeError):
            raise self._not_understood(done, f"reading the {kind} of {reference}") from None

    async def _write(
        self, verb: str, reference: str, words: Sequence[str | Path], signer: Signer, access: Access
    ) -> None:
        flags, secrets = signing(signer, self._work)
        async with self._one_at_a_time[reference]:
            await run(
                [self._program, verb, "--yes", *flags, *words, *_options(access), by_digest(reference)],
                deadline_seconds=_SECONDS,
                env={**access.environment(), **secrets},
                log=self._log,
                what=f"cosign {verb} of {reference}",
            )

    async def _read(
        self,
        verb: str,
        reference: str,
        words: Sequence[str],
        trusted: Trusted,
        access: Access,
        log: Path | None = None,
    ) -> Completed:
        said: list[str] = []
        try:
            return await run(
                [self._program, verb, *verifying(trusted), *words, *_options(access), by_digest(reference)],
                deadline_seconds=_SECONDS,
                env=access.environment(),
                log=log,
                on_line=lambda line: said.append(line) if line.startswith(_ERROR) else None,
                what=f"cosign {verb} of {reference}",
                next_command=" ".join(map(str, [self._program, "tree", *_options(access), reference])),
            )
        except CommandFailed as error:
            seen = said[0].removeprefix(_ERROR) if said else ""
            if error.status == _UNSIGNED or seen.startswith(_OTHER_KIND):
                raise _refused(reference, trusted, signed=False, seen=seen) from None
            if error.status == _NO_MATCHING_SIGNATURE or seen.startswith(_NO_MATCH):
                reasons = seen.removeprefix(_NO_MATCH).strip()  # none where there was nothing that could match
                if reasons and (who := await self._who_signed(reference, access)):
                    seen = f"signed by {who}, as it says itself; {seen}"
                raise _refused(reference, trusted, signed=bool(reasons), seen=seen) from None
            raise

    async def _who_signed(self, reference: str, access: Access) -> str:
        """Who says to have signed what was refused; empty where cosign does not tell, or not in time."""
        with suppress(NotReady):
            done = await run(
                [self._program, "download", "attestation", *_options(access), reference],
                deadline_seconds=_SECONDS,
                env=access.environment(),
                check=False,
                what=f"cosign download of {reference}",
            )
            return ", ".join(who_signed(done.stdout.splitlines()))
        return ""

    def _not_understood(self, done: Completed, what: str) -> CommandFailed:
        return CommandFailed(
            f"{what}: cosign's answer is not understood",
            status=done.status,
            seen=done.stdout[:200] or "nothing",
            expected="the JSON of cosign 3.1",
            next_command=f"{self._program} version",
        )


def _options(access: Access) -> list[str | Path]:
    plain: list[str | Path] = ["--allow-http-registry"] if access.plain else []
    return plain + (["--registry-cacert", access.ca] if access.ca else [])


def _refused(reference: str, trusted: Trusted, *, signed: bool, seen: str) -> SignatureRefused:
    return SignatureRefused(
        f"{reference} is signed, but not by {trusted}" if signed else f"{reference} is not signed, or not there",
        signed=signed,
        seen=seen,
        expected=f"a signature that fits {trusted.needed}",
        next_command="./nox -s release" if not signed else "see who signs releases: [release] of sluice.toml",
    )

"""cosign with a pair of keys and offline: nothing is asked of, or sent to, Sigstore's public services.

A signature is a Sigstore bundle (https://docs.sigstore.dev/about/bundle/) that refers to the image: an OCI referrer,
or an entry of the tag sha256-<digest> where the registry has no referrers API.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from sluice.adapters.process import Completed, run
from sluice.adapters.registry.access import Access, by_digest
from sluice.errors import CommandFailed, HostError, SignatureRefused
from sluice.promotion.release import Kind

_SECONDS = 120
_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"  # the predicate type of what `cosign sign` makes
# Without these two cosign fetches its own from a TUF repository. They name no service: no log, no time stamps, no
# certificates. Formats: https://github.com/sigstore/protobuf-specs, protos/sigstore_trustroot.proto.
_NO_SERVICES = {
    "signing-config": {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "rekorTlogConfig": {},
        "tsaConfig": {},
    },
    "trusted-root": {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"},
}
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

    async def sign(self, reference: str, key: Path, password: str, access: Access) -> None:
        """Sign what a reference names by digest. Raises CommandFailed with cosign's words, NotReady in time."""
        await self._write("sign", reference, [], key, password, access)

    async def attest(
        self, reference: str, predicate: Path, kind: Kind, key: Path, password: str, access: Access
    ) -> None:
        """Attach a signed in-toto statement: about the image, of a kind, with the predicate that a JSON file holds.

        Raises CommandFailed with cosign's words, such as that the file is not what the kind asks for.
        """
        await self._write("attest", reference, ["--type", kind, "--predicate", predicate], key, password, access)

    async def verify(self, reference: str, public_key: Path, access: Access) -> None:
        """Return where the key's owner signed exactly this digest.

        Raises SignatureRefused where nobody did (`signed` is false), or somebody else; CommandFailed for any other
        trouble, such as a registry that does not answer.
        """
        done = await self._read("verify", reference, [], public_key, access, self._log)
        try:
            kinds = {str(one["critical"]["type"]) for one in json.loads(done.stdout)}
        except (ValueError, LookupError, TypeError):
            raise self._not_understood(done, f"verifying {reference}") from None
        # To cosign any statement that the key signed will do, an SBOM's too; to us an SBOM is no signature.
        if _SIGNATURE not in kinds:
            raise _refused(reference, public_key, signed=False, seen=f"no signature, only {', '.join(sorted(kinds))}")

    async def attestation(self, reference: str, kind: Kind, public_key: Path, access: Access) -> dict[str, Any]:
        """Return the predicate of the statement of a kind that the key's owner signed about this digest.

        Where there are several, it is one of them. Raises what `verify` does.
        """
        # What is printed is the statement itself, megabytes of it: not for the log.
        done = await self._read("verify-attestation", reference, ["--type", kind], public_key, access)
        try:
            envelope = json.loads(done.stdout.split("\n", 1)[0])  # DSSE: the payload is the statement in base64
            predicate = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
            return dict(predicate.items())
        except (ValueError, LookupError, TypeError, AttributeError):
            raise self._not_understood(done, f"reading the {kind} of {reference}") from None

    async def _write(
        self, verb: str, reference: str, words: Sequence[str | Path], key: Path, password: str, access: Access
    ) -> None:
        offline: list[str | Path] = []
        for name, content in _NO_SERVICES.items():
            file = self._work / f"{name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))
            offline += [f"--{name}", file]
        async with self._one_at_a_time[reference]:
            await run(
                [self._program, verb, "--yes", "--key", key, *offline, *words, *_options(access), by_digest(reference)],
                deadline_seconds=_SECONDS,
                env={**access.environment(), "COSIGN_PASSWORD": password},
                log=self._log,
                what=f"cosign {verb} of {reference}",
            )

    async def _read(
        self,
        verb: str,
        reference: str,
        words: Sequence[str],
        public_key: Path,
        access: Access,
        log: Path | None = None,
    ) -> Completed:
        said: list[str] = []
        # The flag is how cosign is told that there is no transparency log to look into.
        words = ["--insecure-ignore-tlog", *words]
        try:
            return await run(
                [self._program, verb, "--key", public_key, *words, *_options(access), by_digest(reference)],
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
                raise _refused(reference, public_key, signed=False, seen=seen) from None
            if error.status == _NO_MATCHING_SIGNATURE or seen.startswith(_NO_MATCH):
                reasons = seen.removeprefix(_NO_MATCH).strip()  # none where there was nothing that could match
                raise _refused(reference, public_key, signed=bool(reasons), seen=seen) from None
            raise

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


def _refused(reference: str, key: Path, *, signed: bool, seen: str) -> SignatureRefused:
    return SignatureRefused(
        f"{reference} is signed, but not by {key.name}" if signed else f"{reference} is not signed, or not there",
        signed=signed,
        seen=seen,
        expected=f"what the owner of {key} signed",
        next_command="./nox -s release" if not signed else f"see whose key signs releases: cat {key}",
    )

"""What cosign is told of who signs and whom to trust, and what it tells of who did.

Flags: cosign 3.1, `cosign sign --help`, `cosign verify --help`. Formats of the files and of bundles:
https://github.com/sigstore/protobuf-specs, protos/sigstore_trustroot.proto and protos/sigstore_bundle.proto.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography import x509

from sluice.promotion.signing import Key, PublicKey, Signer, Trusted

Words = list[str | Path]
# Without these two cosign fetches its own from a TUF repository. They name no service: no log, no time stamps, no
# certificates.
_NO_SERVICES = {
    "signing-config": {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "rekorTlogConfig": {},
        "tsaConfig": {},
    },
    "trusted-root": {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"},
}
# The issuer in a certificate, as DER; before it was the same as a bare text:
# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def signing(signer: Signer, work: Path) -> tuple[Words, Mapping[str, str]]:
    """Return the words and the environment that cosign signs with; `work` is a folder for files that it reads.

    No secret is among the words: a key's password, and the token of an identity, are in the environment.
    """
    if isinstance(signer, Key):
        words: Words = ["--key", signer.private]
        for name, content in _NO_SERVICES.items():
            file = work / f"{name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))
            words += [f"--{name}", file]
        return words, {"COSIGN_PASSWORD": signer.password}
    # cosign finds the token in SIGSTORE_ID_TOKEN, or asks GitHub for one. Where it finds none, it is not to wait for
    # somebody to log in with a browser.
    words = ["--fulcio-auth-flow", "token"]
    if signer.signing_config:
        words += ["--signing-config", signer.signing_config]
    return words + _root(signer.trusted.trusted_root), {}


def verifying(trusted: Trusted) -> Words:
    """Return the words that cosign verifies with."""
    if isinstance(trusted, PublicKey):
        # The second is how cosign is told that there is no transparency log to look into.
        return ["--key", trusted.file, "--insecure-ignore-tlog"]
    words: Words = ["--certificate-oidc-issuer", trusted.issuer]
    if "*" in trusted.subject:
        words += ["--certificate-identity-regexp", pattern(trusted.subject)]
    else:
        words += ["--certificate-identity", trusted.subject]
    return words + _root(trusted.trusted_root)


def _root(file: str) -> Words:
    return ["--trusted-root", file] if file else []


def pattern(subject: str) -> str:
    """Return a subject with stars as a regular expression that a whole name has to match; a star is no slash.

    cosign matches parts, so it has both anchors. Go and Python read it alike.
    """
    inner = r"[^/\s]*".join(re.escape(part) for part in subject.split("*"))
    return f"^{inner}$"


def who_signed(bundles: Iterable[str]) -> list[str]:
    """Return who says to have signed, each once: bundles as JSON, one a text. What cannot be read is left out.

    Nothing is verified here: it is for somebody who wonders why a signature was refused.
    """
    return sorted({who for text in bundles if (who := _who(text))})


def _who(bundle: str) -> str:
    try:
        material: dict[str, Any] = json.loads(bundle)["verificationMaterial"]
        if "publicKey" in material:
            return "a key"
        certificate = x509.load_der_x509_certificate(base64.b64decode(material["certificate"]["rawBytes"]))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        issuer = certificate.extensions.get_extension_for_oid(_ISSUER).value
        assert isinstance(issuer, x509.UnrecognizedExtension)
        # DER's UTF8String: a byte of type, its length, the text; of 128 bytes or more the length has bytes of its own.
        text = issuer.value[2:] if issuer.value[1] < 128 else issuer.value[2 + issuer.value[1] % 128 :]
        return f"{next(iter(names)).value} ({text.decode()})"
    except (ValueError, LookupError, TypeError, StopIteration, x509.ExtensionNotFound):
        return ""

"""A Sigstore of the test's own, as far as cosign asks: Fulcio, the log of its certificates, and the log Rekor.

It believes every token, and is otherwise strict: what it signs stands up to cosign's whole verification. Formats:
Fulcio https://github.com/sigstore/fulcio, fulcio.proto; certificates' log RFC 6962, 3.2 and 3.3; Rekor
https://github.com/sigstore/rekor, openapi.yaml; checkpoints https://github.com/transparency-dev/formats; the two files
https://github.com/sigstore/protobuf-specs, protos/sigstore_trustroot.proto.
"""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.contract.registry.fronts import Quiet, serve

from sluice.promotion.signing import GITHUB

_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_VALID = {"start": "2020-01-01T00:00:00Z"}
_ORIGIN = "sigstore.test - 1"


def token(subject: str, issuer: str = GITHUB) -> str:
    """A token of an issuer for somebody, signed by nobody."""
    parts = ({"alg": "RS256", "typ": "JWT"}, {"iss": issuer, "sub": subject, "aud": "sigstore"})
    return ".".join([*(_b64url(json.dumps(part).encode()) for part in parts), _b64url(b"signature")])


class _Log:
    """A key that signs what a log promises."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(self.spki).digest()

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data, ec.ECDSA(SHA256()))

    def trusted(self, url: str) -> dict[str, Any]:
        key = {"rawBytes": _b64(self.spki), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": _VALID}
        return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": key, "logId": {"keyId": _b64(self.id)}}


@dataclass
class Sigstore:
    """`folder` gets the two files that cosign is given. `ago`: it lives so many seconds in the past.

    Without `promises` its certificates are in no log. `asked` has what each GET was authorized with: for a token of
    GitHub's, or for the way in which people log in.
    """

    folder: Path
    ago: float = 0.0
    promises: bool = True
    url: str = ""
    asked: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.certificates, self.rekor = _Log(), _Log()
        self._key = ec.generate_private_key(ec.SECP256R1())
        names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fulcio of a test")])
        self._root = (
            _certificate(names, names, self._key.public_key(), self.now - timedelta(days=9), days=99)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, SHA256())
        )

    @property
    def now(self) -> datetime:
        """Its time."""
        return datetime.fromtimestamp(int(time.time() - self.ago), UTC)

    @property
    def trusted_root(self) -> Path:
        """The file by which its signatures are verified."""
        authority = {"uri": self.url, "certChain": {"certificates": [{"rawBytes": _b64(_der(self._root))}]}}
        content = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "certificateAuthorities": [{**authority, "validFor": _VALID}],
            "ctlogs": [self.certificates.trusted(self.url)],
            "tlogs": [self.rekor.trusted(self.url)],
        }
        return self._file("trusted-root.json", content)

    @property
    def signing_config(self) -> Path:
        """The file that names its services."""
        service = [{"url": self.url, "majorApiVersion": 1, "validFor": _VALID, "operator": "a test"}]
        content = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": service,
            "oidcUrls": service,
            "rekorTlogUrls": service,
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {},
        }
        return self._file("signing-config.json", content)

    def certificate(self, bearer: str, request: dict[str, Any]) -> dict[str, Any]:
        """Fulcio: a certificate of ten minutes for the key in a request, in the name that the token has."""
        claims = json.loads(base64.urlsafe_b64decode(bearer.split(".")[1] + "=="))
        key = load_pem_public_key(request["publicKeyRequest"]["publicKey"]["content"].encode())
        assert isinstance(key, ec.EllipticCurvePublicKey)
        name, issuer = x509.UniformResourceIdentifier(claims["sub"]), claims["iss"].encode()
        builder = (
            _certificate(x509.Name([]), self._root.subject, key, self.now, minutes=10)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER, bytes([12, len(issuer)]) + issuer), critical=False)
        )
        made = builder.sign(self._key, SHA256())
        if self.promises:
            promised = x509.UnrecognizedExtension(_TIMESTAMPS, self._promise(made.tbs_certificate_bytes))
            made = builder.add_extension(promised, critical=False).sign(self._key, SHA256())
        chain = [one.public_bytes(Encoding.PEM).decode() for one in (made, self._root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def entry(self, proposed: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Rekor: the entry of a statement, alone in a tree of its own, with its promise and its proof."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        signature = {"signature": envelope["signatures"][0]["sig"], "verifier": content["verifiers"][0]}
        spec = {
            "envelopeHash": _hash(content["envelope"].encode()),
            "payloadHash": _hash(base64.b64decode(envelope["payload"])),
            "signatures": [signature],
        }
        body = _canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        leaf = hashlib.sha256(b"\0" + body).digest()
        at = {"body": _b64(body), "integratedTime": int(self.now.timestamp()), "logIndex": 0}
        promised = {**at, "logID": self.rekor.id.hex()}
        note = f"{_ORIGIN}\n1\n{_b64(leaf)}\n"
        sealed = _b64(self.rekor.id[:4] + self.rekor.sign(note.encode()))
        proof = {
            "logIndex": 0,
            "treeSize": 1,
            "rootHash": leaf.hex(),
            "hashes": [],
            "checkpoint": f"{note}\n— {_ORIGIN.split()[0]} {sealed}\n",
        }
        promise = _b64(self.rekor.sign(_canonical(promised)))
        return leaf.hex(), {**promised, "verification": {"inclusionProof": proof, "signedEntryTimestamp": promise}}

    def _promise(self, unpromised: bytes) -> bytes:
        """The extension with the promise of the certificates' log, for what the certificate is without it."""
        stamp = int(self.now.timestamp() * 1000).to_bytes(8)
        key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        told = hashlib.sha256(key).digest() + len(unpromised).to_bytes(3) + unpromised
        signature = self.certificates.sign(bytes(2) + stamp + (1).to_bytes(2) + told + bytes(2))
        # SHA-256 and ECDSA are 4 and 3 in TLS, RFC 5246, 7.4.1.4.1.
        promise = bytes(1) + self.certificates.id + stamp + bytes(2) + bytes([4, 3]) + _sized(signature)
        promises = _sized(_sized(promise))
        return bytes([4, len(promises)]) + promises  # an OCTET STRING

    def _file(self, name: str, content: dict[str, Any]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(json.dumps(content))
        return self.folder / name


@contextmanager
def sigstore_of(folder: Path, *, ago: float = 0.0, promises: bool = True, subject: str = "") -> Iterator[Sigstore]:
    """Serve a Sigstore; below /token is GitHub's side, which gives its workflow `subject` tokens."""
    made = Sigstore(folder, ago, promises)

    class Handler(Quiet):
        def do_GET(self) -> None:  # noqa: N802
            made.asked.append(self.headers.get("Authorization"))
            self.tell(200, {"value": token(subject)} if self.path.endswith("&audience=sigstore") else {})

        def do_POST(self) -> None:  # noqa: N802
            given = json.loads(self.body())
            if self.path == "/api/v2/signingCert":
                self.tell(200, made.certificate(self.headers["Authorization"].removeprefix("Bearer "), given))
                return
            name, entry = made.entry(given)
            self.tell(201, {name: entry}, {"ETag": name, "Location": f"{self.path}/{name}"})

        def tell(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            more = {"Content-Type": "application/json", **(headers or {})}
            self.answer(status, json.dumps(content).encode(), more)

    with serve(Handler, None) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, **lasts: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(**lasts))
    )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data


def _hash(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

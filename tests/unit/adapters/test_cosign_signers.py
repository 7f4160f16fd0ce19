"""What cosign is told of who signs and whom to trust: flags and environment, recorded by a program in its place."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from sluice.adapters.registry.access import Access
from sluice.adapters.registry.cosign import Cosign
from sluice.adapters.registry.signers import pattern, who_signed
from sluice.errors import CommandFailed, SignatureRefused
from sluice.promotion.signing import GITHUB, Identity, Key, Keyless, PublicKey, Signer, Trusted

pytestmark = pytest.mark.anyio

IMAGE = f"r.example.org/acme/api@sha256:{64 * 'a'}"
OURS = "https://github.com/acme/tasks/.github/workflows/release.yml@refs/tags/v1.2.3"
PATTERN = "https://github.com/acme/tasks/.github/workflows/release.yml@refs/tags/v*"
KEY = Key(Path("/keys/cosign.key"), Path("/keys/cosign.pub"), "hush-hush-4711")
SIGNED = json.dumps([{"critical": {"type": "https://sigstore.dev/cosign/sign/v1"}}])


class Fake:
    """A program in cosign's place that writes down how it was called, and answers what it was given for that verb."""

    def __init__(self, folder: Path, *, status: int = 0, **answers: str) -> None:
        self.folder = folder
        self.program = folder / "cosign"
        for verb, answer in answers.items():
            (folder / f"{verb}.out").write_text(answer)
        self.program.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/$1.argv"\nenv > "{folder}/$1.env"\n'
            f'cat "{folder}/$1.out" 2> /dev/null\ncat "{folder}/$1.err" >&2 2> /dev/null\n'
            f'[ "$1" = download ] || exit {status}\n'
        )
        self.program.chmod(0o755)
        self.cosign = Cosign(self.program, folder / "work", folder / "cosign.log")

    def argv(self, verb: str) -> list[str]:
        return (self.folder / f"{verb}.argv").read_text().splitlines()

    def environment(self, verb: str) -> str:
        return (self.folder / f"{verb}.env").read_text()


async def test_a_key_signs_offline_with_its_password_in_the_environment(tmp_path: Path) -> None:
    fake = Fake(tmp_path)
    await fake.cosign.sign(IMAGE, KEY, Access())
    files = [tmp_path / "work" / name for name in ("signing-config.json", "trusted-root.json")]
    offline = ["--signing-config", str(files[0]), "--trusted-root", str(files[1])]
    assert fake.argv("sign") == ["sign", "--yes", "--key", "/keys/cosign.key", *offline, IMAGE]
    assert "COSIGN_PASSWORD=hush-hush-4711" in fake.environment("sign")
    for file in files:
        assert "Url" not in file.read_text(), "it names no service"


async def test_an_identity_signs_by_the_token_of_its_surroundings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", "e30.e30.hush")
    fake = Fake(tmp_path)
    public = Keyless(Identity(GITHUB, OURS))
    own = Keyless(Identity(GITHUB, OURS, "/etc/trusted-root.json"), Path("/etc/signing-config.json"))
    files = ["--signing-config", "/etc/signing-config.json", "--trusted-root", "/etc/trusted-root.json"]
    cases: list[tuple[Signer, list[str]]] = [(public, []), (own, files)]
    for signer, more in cases:
        await fake.cosign.sign(IMAGE, signer, Access())
        assert fake.argv("sign") == ["sign", "--yes", "--fulcio-auth-flow", "token", *more, IMAGE]
        predicate = ["--type", "cyclonedx", "--predicate", "sbom.json"]
        await fake.cosign.attest(IMAGE, Path("sbom.json"), "cyclonedx", signer, Access())
        assert fake.argv("attest") == ["attest", "--yes", "--fulcio-auth-flow", "token", *more, *predicate, IMAGE]
    assert "SIGSTORE_ID_TOKEN=e30.e30.hush" in fake.environment("sign")


@pytest.mark.parametrize(
    ("trusted", "words"),
    [
        (PublicKey(Path("cosign.pub")), ["--key", "cosign.pub", "--insecure-ignore-tlog"]),
        (Identity(GITHUB, OURS), ["--certificate-oidc-issuer", GITHUB, "--certificate-identity", OURS]),
        (
            Identity(GITHUB, PATTERN, "/etc/root.json"),
            [
                *("--certificate-oidc-issuer", GITHUB, "--certificate-identity-regexp", pattern(PATTERN)),
                *("--trusted-root", "/etc/root.json"),
            ],
        ),
    ],
)
async def test_an_identity_is_verified_with_all_proofs_and_a_key_without_a_log(
    tmp_path: Path, trusted: Trusted, words: list[str]
) -> None:
    fake = Fake(tmp_path, verify=SIGNED)
    await fake.cosign.verify(IMAGE, trusted, Access())
    assert fake.argv("verify") == ["verify", *words, IMAGE]


@pytest.mark.parametrize(
    ("subject", "fits"),
    [
        (OURS, True),
        (f"{OURS}/x", False),
        (f"{OURS}\n", False),
        (f"x{OURS}", False),
        (OURS.replace("v1", "w1"), False),
        (OURS.replace(".yml", "-yml"), False),
        (OURS.replace("tags/", "tags/v/"), False),
    ],
)
def test_a_pattern_is_of_the_whole_name_and_a_star_no_slash(subject: str, fits: bool) -> None:
    found = pattern(PATTERN)
    assert found.startswith("^")
    assert found.endswith("$")
    assert bool(re.search(found.removesuffix("$") + r"\Z", subject)) is fits  # \Z is what Go's $ is


def bundle(subject: str, issuer: str) -> str:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    size = bytes([len(issuer)]) if len(issuer) < 128 else bytes([129, len(issuer)])
    told = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), b"\x0c" + size + issuer.encode())
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(minutes=10))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(subject)]), critical=True)
        .add_extension(told, critical=False)
        .sign(key, SHA256())
    )
    raw = base64.b64encode(made.public_bytes(Encoding.DER)).decode()
    return json.dumps({"verificationMaterial": {"certificate": {"rawBytes": raw}}})


BY_KEY = json.dumps({"verificationMaterial": {"publicKey": {"hint": "x"}}})


def test_who_signed_is_what_certificates_say() -> None:
    long = f"https://issuer.example.org/{'x' * 120}"
    found = who_signed([bundle(OURS, GITHUB), BY_KEY, bundle(OURS, GITHUB), bundle("https://b.example.org/", long)])
    assert found == ["a key", f"https://b.example.org/ ({long})", f"{OURS} ({GITHUB})"]


def test_what_is_no_bundle_says_nothing() -> None:
    junk = ["", "{", "[]", "{}", '{"verificationMaterial": {"certificate": {"rawBytes": "AAAA"}}}', "null"]
    assert who_signed(junk) == []


async def test_a_refusal_names_who_signed_instead(tmp_path: Path) -> None:
    fake = Fake(tmp_path, status=1, download=bundle("https://github.com/mallory/x@refs/tags/v1", GITHUB))
    (tmp_path / "verify.err").write_text("Error: no matching attestations: failed to verify certificate identity: …\n")
    with pytest.raises(SignatureRefused) as caught:
        await fake.cosign.verify(IMAGE, Identity(GITHUB, PATTERN), Access())
    assert caught.value.failed == f"{IMAGE} is signed, but not by {PATTERN}"
    assert caught.value.seen.startswith(f"signed by https://github.com/mallory/x@refs/tags/v1 ({GITHUB}), as it says")
    assert (PATTERN in caught.value.expected, GITHUB in caught.value.expected) == (True, True)


async def test_keys_of_sigstore_that_cannot_be_fetched_are_no_missing_signature(tmp_path: Path) -> None:
    fake = Fake(tmp_path, status=1)
    (tmp_path / "verify.err").write_text("Error: setting trusted material: getting trusted root from TUF: no network\n")
    with pytest.raises(CommandFailed, match="no network"):
        await fake.cosign.verify(IMAGE, Identity(GITHUB, OURS), Access())

"""Signatures without a key, by the real cosign, of a Sigstore of the test's own: all that cosign verifies is there."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.registry.fronts import proxy
from tests.contract.registry.rigs import PLAIN, Rig
from tests.contract.registry.sigstore import Sigstore, sigstore_of, token

from sluice.errors import CommandFailed, SignatureRefused
from sluice.promotion.signing import GITHUB, Identity, Keyless

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

WORKFLOW = "https://github.com/acme/tasks/.github/workflows/release.yml"
OURS = f"{WORKFLOW}@refs/tags/v1.2.3"
SBOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}


@pytest.fixture
def make_sigstore(tmp_path: Path) -> Iterator[Callable[..., Sigstore]]:
    """Start a Sigstore, with what `sigstore_of` takes."""
    with ExitStack() as stack:

        def start(name: str = "sigstore", **how: float | str) -> Sigstore:
            serving: AbstractContextManager[Sigstore] = sigstore_of(tmp_path / name, **how)  # type: ignore[arg-type]
            return stack.enter_context(serving)

        yield start


@pytest.fixture(autouse=True)
def as_ours(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Be an identity; at first the workflow that releases."""
    for name in ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"):
        monkeypatch.delenv(name, raising=False)

    def become(subject: str, issuer: str = GITHUB) -> None:
        monkeypatch.setenv("SIGSTORE_ID_TOKEN", token(subject, issuer))

    become(OURS)
    return become


def identity(sigstore: Sigstore, subject: str = OURS, issuer: str = GITHUB) -> Identity:
    """An identity that the test's Sigstore vouches for."""
    return Identity(issuer, subject, str(sigstore.trusted_root))


def keyless(sigstore: Sigstore) -> Keyless:
    """Signs by the test's Sigstore, as whom the environment says."""
    return Keyless(identity(sigstore), sigstore.signing_config)


async def refused(rig: Rig, image: str, trusted: Identity) -> SignatureRefused:
    """The refusal of a signature; an attestation is refused alike."""
    with pytest.raises(SignatureRefused) as caught:
        await rig.cosign.verify(image, trusted, PLAIN)
    with pytest.raises(SignatureRefused) as again:
        await rig.cosign.attestation(image, "cyclonedx", trusted, PLAIN)
    assert again.value.signed == caught.value.signed
    return caught.value


async def test_what_an_identity_signed_verifies_with_it_and_with_its_pattern(
    rig: Rig, make_sigstore: Callable[..., Sigstore]
) -> None:
    sigstore = make_sigstore()
    image = await rig.signed(rig.image(), signer=keyless(sigstore))
    await rig.attested(image, SBOM, "cyclonedx", signer=keyless(sigstore))
    for subject in (
        OURS,
        f"{WORKFLOW}@refs/tags/v*",
        "https://github.com/acme/tasks/.github/workflows/*@refs/*/v1.2.*",
    ):
        await rig.cosign.verify(image, identity(sigstore, subject), PLAIN)
        assert await rig.cosign.attestation(image, "cyclonedx", identity(sigstore, subject), PLAIN) == SBOM


async def test_it_verifies_long_after_its_certificate(rig: Rig, make_sigstore: Callable[..., Sigstore]) -> None:
    sigstore = make_sigstore(ago=86_400)
    await rig.cosign.verify(await rig.signed(rig.image(), signer=keyless(sigstore)), identity(sigstore), PLAIN)


@pytest.mark.parametrize(
    ("subject", "issuer"),
    [
        (f"{WORKFLOW}@refs/heads/main", GITHUB),
        (OURS.replace("acme", "mallory"), GITHUB),
        (OURS, "https://gitlab.com"),
        # None of these is anything that a pattern names as a whole.
        (f"{OURS}/branch", GITHUB),
        (f"https://evil.example.org/{OURS}", GITHUB),
        (OURS.replace("release.yml", "releaseXyml"), GITHUB),
    ],
)
async def test_another_identity_is_refused_and_named(
    rig: Rig,
    make_sigstore: Callable[..., Sigstore],
    as_ours: Callable[[str, str], None],
    subject: str,
    issuer: str,
) -> None:
    sigstore, pattern = make_sigstore(), f"{WORKFLOW}@refs/tags/v*"
    as_ours(subject, issuer)
    image = await rig.signed(rig.image(), signer=keyless(sigstore))
    await rig.attested(image, SBOM, "cyclonedx", signer=keyless(sigstore))
    for wanted in (OURS, pattern):
        error = await refused(rig, image, identity(sigstore, wanted))
        assert error.signed
        assert f"is signed, but not by {wanted}" in error.failed
        assert error.seen.startswith(f"signed by {subject} ({issuer}), as it says itself; ")
        assert "expected" in error.seen.splitlines()[0]


async def test_a_key_is_no_identity_and_an_identity_no_key(rig: Rig, make_sigstore: Callable[..., Sigstore]) -> None:
    sigstore = make_sigstore()
    by_key = await rig.attested(await rig.signed(rig.image()), SBOM, "cyclonedx")
    error = await refused(rig, by_key, identity(sigstore))
    assert (error.signed, error.seen.partition(";")[0]) == (True, "signed by a key, as it says itself")
    by_identity = await rig.signed(rig.image(package="other"), signer=keyless(sigstore))
    with pytest.raises(SignatureRefused, match=r"is signed, but not by cosign\.pub") as caught:
        await rig.cosign.verify(by_identity, rig.keys.trusted, PLAIN)
    assert caught.value.seen.startswith(f"signed by {OURS} ({GITHUB}), as it says itself; ")


async def test_what_nobody_signed_is_refused_as_such(rig: Rig, make_sigstore: Callable[..., Sigstore]) -> None:
    error = await refused(rig, rig.image(), identity(make_sigstore()))
    assert not error.signed
    assert "is not signed, or not there" in error.failed


async def test_another_sigstore_is_not_trusted(rig: Rig, make_sigstore: Callable[..., Sigstore]) -> None:
    ours, theirs = make_sigstore("ours"), make_sigstore("theirs")
    image = await rig.signed(rig.image(), signer=keyless(theirs))
    await rig.attested(image, SBOM, "cyclonedx", signer=keyless(theirs))
    await rig.cosign.verify(image, identity(theirs), PLAIN)
    assert (await refused(rig, image, identity(ours))).signed
    # Nor is a certificate of theirs that a log of ours has noted, and the other way round.
    theirs.rekor = ours.rekor
    image = await rig.signed(rig.image(package="second"), signer=keyless(theirs))
    with pytest.raises(SignatureRefused, match="leaf certificate verification failed"):
        await rig.cosign.verify(image, identity(ours), PLAIN)


async def test_a_certificate_that_no_log_has_seen_does_not_do(rig: Rig, make_sigstore: Callable[..., Sigstore]) -> None:
    sigstore = make_sigstore(promises=False)
    image = await rig.signed(rig.image(), signer=keyless(sigstore))
    with pytest.raises(SignatureRefused, match="SCT"):
        await rig.cosign.verify(image, identity(sigstore), PLAIN)


async def test_a_workflow_of_github_gets_its_token_from_there(
    rig: Rig, make_sigstore: Callable[..., Sigstore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    sigstore = make_sigstore(subject=OURS)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{sigstore.url}/token?api-version=2.0")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-this-job-4711")
    image = await rig.signed(rig.image(), signer=keyless(sigstore))
    assert sigstore.asked == ["bearer of-this-job-4711"]
    await rig.cosign.verify(image, identity(sigstore), PLAIN)
    for text in (rig.arguments.read_text(), rig.log.read_text()):
        assert "of-this-job-4711" not in text
        assert token(OURS) not in text


async def test_a_token_is_in_no_argument_and_no_log(rig: Rig, make_sigstore: Callable[..., Sigstore]) -> None:
    sigstore = make_sigstore()
    image = await rig.signed(rig.image(), signer=keyless(sigstore))
    await rig.attested(image, SBOM, "cyclonedx", signer=keyless(sigstore))
    told = rig.arguments.read_text() + rig.log.read_text()
    assert [part for part in token(OURS).split(".")[1:] if part in told] == []


async def test_without_a_token_nobody_is_waited_for(
    rig: Rig, make_sigstore: Callable[..., Sigstore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    sigstore = make_sigstore()
    with pytest.raises(CommandFailed, match="ID token"):
        await rig.signed(rig.image(), signer=keyless(sigstore))
    assert sigstore.asked == [], "it asked how somebody logs in"


async def test_with_both_files_nothing_is_asked_of_the_internet(
    rig: Rig, make_sigstore: Callable[..., Sigstore], monkeypatch: pytest.MonkeyPatch
) -> None:
    sigstore = make_sigstore()
    with proxy() as nobody:
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://{nobody.host}")
        monkeypatch.setenv("HOME", str(rig.folder))  # what an earlier run fetched does not count
        image = await rig.signed(rig.image(), signer=keyless(sigstore))
        await rig.cosign.verify(image, identity(sigstore), PLAIN)
        assert nobody.proxied == []
        # Without the file cosign wants to fetch Sigstore's keys, and that it cannot is no missing signature.
        with pytest.raises(CommandFailed, match="trusted root"):
            await rig.cosign.verify(image, replace(identity(sigstore), trusted_root=""), PLAIN)
        assert nobody.proxied != []

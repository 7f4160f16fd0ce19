"""Signatures and attestations by the real cosign, in registries of either kind."""

import json
import re
from dataclasses import replace

import anyio
import pytest
from tests.contract.programs import program
from tests.contract.registry.fronts import Front, proxy
from tests.contract.registry.rigs import PLAIN, Rig

from sluice.adapters.process import run
from sluice.errors import CommandFailed, HostError, SignatureRefused
from sluice.promotion.signing import Key
from sluice.supply.catalog import load_catalog

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

PROVENANCE = {
    "buildDefinition": {
        "buildType": "https://sluice.dev/build/service-image/v1",
        "externalParameters": {"source": "git+https://example.org/tree", "service": "backend"},
        "internalParameters": {"runtime": "docker", "sourceDigest": "sha256:ab"},
        "resolvedDependencies": [
            {"uri": "pkg:generic/kind@0.33.0", "digest": {"sha256": "cd"}, "annotations": {"obtained": "source"}}
        ],
    },
    "runDetails": {
        "builder": {"id": "https://example.org/builder"},
        "metadata": {
            "invocationId": "r1", "startedOn": "2026-11-26T10:00:00Z", "finishedOn": "2026-11-26T10:00:05Z"
        },
    },
}  # fmt: skip
SBOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library", "name": "tinypkg"}]}


@pytest.mark.parametrize("name", ["cosign", "oras", "syft"])
async def test_a_program_calls_itself_what_the_catalog_does(name: str) -> None:
    said = (await run([program(name), "version"], deadline_seconds=30)).stdout
    assert re.search(rf"^(Git)?Version: +v?{re.escape(load_catalog()[name].version)}$", said, re.MULTILINE)


@pytest.fixture(params=["with the referrers API", "without"])
def host(request: pytest.FixtureRequest, registry: str, modern: Front) -> str:
    """A registry of either kind."""
    return modern.host if request.param == "with the referrers API" else registry


async def test_what_is_signed_verifies(rig: Rig, host: str) -> None:
    await rig.cosign.verify(await rig.signed(rig.image(host)), rig.keys.trusted, PLAIN)


async def test_what_another_signed_is_refused_as_such(rig: Rig, host: str, other_keys: Key) -> None:
    image = await rig.signed(rig.image(host))
    with pytest.raises(SignatureRefused, match=r"is signed, but not by cosign\.pub") as refused:
        await rig.cosign.verify(image, other_keys.trusted, PLAIN)
    assert refused.value.signed
    assert "could not verify envelope" in refused.value.seen
    with pytest.raises(SignatureRefused) as refused:
        await rig.cosign.attestation(image, "cyclonedx", other_keys.trusted, PLAIN)
    assert refused.value.signed


async def test_what_nobody_signed_is_refused_as_such(rig: Rig, host: str) -> None:
    image = rig.image(host)
    for asked in (rig.cosign.verify(image, rig.keys.trusted, PLAIN),
                  rig.cosign.attestation(image, "cyclonedx", rig.keys.trusted, PLAIN)):  # fmt: skip
        with pytest.raises(SignatureRefused, match=r"@sha256:\w+ is not signed, or not there") as refused:
            await asked
        assert not refused.value.signed


async def test_an_attestation_is_no_signature(rig: Rig, host: str) -> None:
    image = await rig.attested(rig.image(host), SBOM, "cyclonedx")
    with pytest.raises(SignatureRefused, match=r"no signature, only https://cyclonedx\.org/bom") as refused:
        await rig.cosign.verify(image, rig.keys.trusted, PLAIN)
    assert not refused.value.signed


async def test_the_signature_of_one_image_does_not_do_for_another(rig: Rig, modern: Front) -> None:
    signed, other = await rig.signed(rig.image(modern.host)), rig.image(modern.host, package="other")
    with pytest.raises(SignatureRefused):
        await rig.cosign.verify(f"{signed.partition('@')[0]}@{other.partition('@')[2]}", rig.keys.trusted, PLAIN)


async def test_what_is_attested_is_what_went_in(rig: Rig, host: str) -> None:
    image = await rig.attested(rig.image(host), SBOM, "cyclonedx")
    await rig.attested(image, PROVENANCE, "slsaprovenance1")
    assert await rig.cosign.attestation(image, "cyclonedx", rig.keys.trusted, PLAIN) == SBOM
    assert await rig.cosign.attestation(image, "slsaprovenance1", rig.keys.trusted, PLAIN) == PROVENANCE


async def test_an_attestation_of_another_kind_does_not_do(rig: Rig, host: str) -> None:
    image = await rig.attested(rig.image(host), PROVENANCE, "slsaprovenance1")
    with pytest.raises(SignatureRefused, match=r"slsa\.dev/provenance") as refused:
        await rig.cosign.attestation(image, "cyclonedx", rig.keys.trusted, PLAIN)
    assert not refused.value.signed


async def test_writers_of_one_image_wait_for_each_other_and_lose_nothing(rig: Rig) -> None:
    image = rig.image()
    async with anyio.create_task_group() as group:
        group.start_soon(rig.signed, image)
        group.start_soon(rig.attested, image, SBOM, "cyclonedx")
        group.start_soon(rig.attested, image, PROVENANCE, "slsaprovenance1")
    assert rig.runs.read_text().split() == 3 * ["begin", "end"]
    await rig.cosign.verify(image, rig.keys.trusted, PLAIN)
    assert await rig.cosign.attestation(image, "cyclonedx", rig.keys.trusted, PLAIN) == SBOM
    assert await rig.cosign.attestation(image, "slsaprovenance1", rig.keys.trusted, PLAIN) == PROVENANCE


async def test_a_tag_is_not_signed(rig: Rig) -> None:
    with pytest.raises(ValueError, match="expected <repository>@sha256:<digest>"):
        await rig.signed(rig.image().partition("@")[0] + ":x")


async def test_a_registry_that_is_away_is_not_taken_for_a_missing_signature(rig: Rig) -> None:
    image = f"localhost:1/gone@sha256:{64 * '0'}"
    for asked in (rig.cosign.verify(image, rig.keys.trusted, PLAIN),
                  rig.cosign.attestation(image, "cyclonedx", rig.keys.trusted, PLAIN),
                  rig.signed(image)):  # fmt: skip
        with pytest.raises(CommandFailed, match="connection refused"):
            await asked


async def test_a_wrong_password_of_the_key_is_told(rig: Rig, other_keys: Key) -> None:
    with pytest.raises(CommandFailed, match="decryption failed"):
        await rig.cosign.sign(rig.image(), replace(rig.keys, password=other_keys.password), PLAIN)


async def test_keys_are_not_replaced(rig: Rig) -> None:
    before = rig.keys.private.read_bytes()
    with pytest.raises(HostError, match="is there"):
        await rig.cosign.generate_key_pair(rig.keys.private.parent, "another")
    assert rig.keys.private.read_bytes() == before
    assert rig.keys.private.stat().st_mode & 0o077 == 0


async def test_nothing_is_asked_of_the_internet_nor_left_in_the_home(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    image = rig.image()
    with proxy() as nobody:
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://{nobody.host}")
        monkeypatch.setenv("HOME", str(rig.folder))  # what an earlier run fetched does not count
        await rig.signed(image)
        await rig.attested(image, SBOM, "cyclonedx")
        await rig.cosign.verify(image, rig.keys.trusted, PLAIN)
        await rig.cosign.attestation(image, "cyclonedx", rig.keys.trusted, PLAIN)
        await rig.syft.sbom(image, rig.folder / "sbom.json", PLAIN)
        assert nobody.proxied == []
    assert [path.name for path in rig.folder.iterdir() if path.name.startswith(".")] == []


async def test_an_sbom_names_a_python_package_of_the_image(rig: Rig) -> None:
    file = rig.folder / "sboms" / "backend.json"
    image = rig.image(package="attrsy")
    await rig.syft.sbom(image, file, PLAIN)
    sbom = json.loads(file.read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    found = [(one["name"], one["version"], one["purl"]) for one in sbom["components"] if one["type"] == "library"]
    assert found == [("attrsy", "1.2.3", "pkg:pypi/attrsy@1.2.3")]
    await rig.attested(image, sbom, "cyclonedx")
    assert await rig.cosign.attestation(image, "cyclonedx", rig.keys.trusted, PLAIN) == sbom


async def test_an_image_that_is_not_there_has_no_sbom(rig: Rig) -> None:
    file = rig.folder / "sbom.json"
    with pytest.raises(CommandFailed, match=r"the SBOM of .* failed"):
        await rig.syft.sbom(rig.image().partition("@")[0] + f"@sha256:{64 * '0'}", file, PLAIN)
    assert not file.exists()

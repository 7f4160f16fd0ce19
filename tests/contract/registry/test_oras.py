"""Copies and artifacts by the real oras, between registries of either kind, and behind TLS and a login."""

import os
from pathlib import Path

import httpx
import pytest
from tests.contract.registry.fronts import Front, certificate
from tests.contract.registry.rigs import PLAIN, Rig

from sluice.adapters.registry.access import Access
from sluice.errors import CommandFailed, HostError, SignatureRefused

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

SBOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
TYPE = "application/vnd.sluice.release.v1+json"


async def proven(rig: Rig, host: str) -> str:
    """An image that is signed and attested."""
    return await rig.attested(await rig.signed(rig.image(host)), SBOM, "cyclonedx")


async def copied(rig: Rig, source: str, host: str, access: Access = PLAIN, tag: str = "") -> str:
    """Copy to a repository of another name, and return what is there then, by digest."""
    repository = f"{host}/{rig.name}/target"
    await rig.oras.copy(source, repository + tag, source_access=PLAIN, target_access=access)
    return f"{repository}@{source.partition('@')[2]}"


@pytest.mark.parametrize("way", ["modern to modern", "modern to old", "old to modern", "old to old"])
async def test_a_copy_carries_signature_and_attestations_and_may_be_done_again(
    rig: Rig, registry: str, modern: Front, way: str
) -> None:
    hosts = {"modern": modern.host, "old": registry}
    start, _, end = way.split()
    source = await proven(rig, hosts[start])
    for _ in range(2):
        target = await copied(rig, source, hosts[end])
        await rig.cosign.verify(target, rig.keys.trusted, PLAIN)
        assert await rig.cosign.attestation(target, "cyclonedx", rig.keys.trusted, PLAIN) == SBOM


async def test_a_copy_that_was_killed_before_the_referrers_were_listed_is_completed(rig: Rig, registry: str) -> None:
    source = await proven(rig, registry)
    target = await copied(rig, source, registry)
    tag = target.partition("@")[2].replace(":", "-")
    async with httpx.AsyncClient(base_url=f"http://{registry}/v2/", trust_env=False) as client:
        gone = await client.delete(f"{rig.name}/target/manifests/{tag}")
    assert gone.is_success, gone.text
    with pytest.raises(SignatureRefused):
        await rig.cosign.verify(target, rig.keys.trusted, PLAIN)
    await rig.cosign.verify(await copied(rig, source, registry), rig.keys.trusted, PLAIN)


async def test_a_copy_says_what_travels(rig: Rig, registry: str) -> None:
    source, lines = rig.image(), list[str]()
    target = f"{registry}/{rig.name}/target:r1"
    await rig.oras.copy(source, target, source_access=PLAIN, target_access=PLAIN, on_line=lines.append)
    assert f"Digest: {source.partition('@')[2]}" in lines
    assert await rig.oras.resolve(target, PLAIN) == source.partition("@")[2]


async def test_a_copy_is_by_digest_only(rig: Rig, registry: str) -> None:
    with pytest.raises(ValueError, match="expected <repository>@sha256:<digest>"):
        await copied(rig, rig.image().partition("@")[0] + ":x", registry)


async def test_the_same_files_are_the_same_artifact_on_any_day(rig: Rig, registry: str) -> None:
    folder, reference = rig.folder / "release", f"{registry}/{rig.name}/releases:r1"
    folder.mkdir()
    files = {"release.json": b'{"id": "r1"}', "policy.toml": b"a = 1\n", "content.tar": b"not really"}
    digests = []
    for day in (0, 86_400):
        for name, content in files.items():
            (folder / name).write_bytes(content)
            os.utime(folder / name, (day, day))
        digests.append(await rig.oras.push(reference, folder, list(files), TYPE, PLAIN))
    assert digests[0] == digests[1] == await rig.oras.resolve(reference, PLAIN)
    async with httpx.AsyncClient(base_url=f"http://{registry}/v2/", trust_env=False) as client:
        manifest = (await client.get(f"{rig.name}/releases/manifests/r1")).json()
    assert manifest["artifactType"] == TYPE
    assert manifest["annotations"] == {"org.opencontainers.image.created": "1970-01-01T00:00:00Z"}
    assert [one["mediaType"] for one in manifest["layers"]] == [
        "application/json", "application/toml", "application/vnd.oci.image.layer.v1.tar"
    ]  # fmt: skip
    into = rig.folder / "pulled"
    into.mkdir()
    (into / "release.json").write_text("of another")
    await rig.oras.pull(f"{reference.rpartition(':')[0]}@{digests[0]}", into, PLAIN)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == files


async def test_an_artifact_is_signed_and_listed_without_its_signature(rig: Rig, registry: str) -> None:
    folder, repository = rig.folder, f"{registry}/{rig.name}/releases"
    (folder / "release.json").write_text("{}")
    for tag in ("r1", "r2"):
        digest = await rig.oras.push(f"{repository}:{tag}", folder, ["release.json"], TYPE, PLAIN)
    await rig.signed(f"{repository}@{digest}")
    await rig.cosign.verify(f"{repository}@{digest}", rig.keys.trusted, PLAIN)
    assert await rig.oras.tags(repository, PLAIN) == ["r1", "r2"]


async def test_what_is_not_there_is_none_and_what_does_not_answer_is_a_failure(rig: Rig, registry: str) -> None:
    image = rig.image()
    assert await rig.oras.resolve(image, PLAIN) == image.partition("@")[2]
    assert await rig.oras.resolve(image.partition("@")[0] + ":gone", PLAIN) is None
    assert await rig.oras.resolve(image.partition("@")[0] + f"@sha256:{64 * '0'}", PLAIN) is None
    assert await rig.oras.resolve(f"{registry}/{rig.name}/gone:x", PLAIN) is None
    assert await rig.oras.tags(f"{registry}/{rig.name}/gone", PLAIN) == []
    for asked in (
        rig.oras.resolve("localhost:1/gone:x", PLAIN), rig.oras.tags("localhost:1/gone", PLAIN),
        rig.oras.pull("localhost:1/gone:x", rig.folder, PLAIN), copied(rig, image, "localhost:1"),
    ):  # fmt: skip
        with pytest.raises(CommandFailed, match="connection refused"):
            await asked


async def test_everything_works_behind_tls_and_a_login_and_no_secret_is_told(
    rig: Rig, secured: Front, secured_access: Access
) -> None:
    target = await copied(rig, await proven(rig, rig.registry), secured.host, secured_access, ":r1")
    await rig.signed(target, secured_access)
    await rig.attested(target, SBOM, "cyclonedx", secured_access)
    await rig.cosign.verify(target, rig.keys.trusted, secured_access)
    assert await rig.cosign.attestation(target, "cyclonedx", rig.keys.trusted, secured_access) == SBOM
    await rig.syft.sbom(target, rig.folder / "sbom.json", secured_access)
    assert '"tinypkg"' in (rig.folder / "sbom.json").read_text()
    repository = f"{secured.host}/{rig.name}/releases"
    pushed = await rig.oras.push(f"{repository}:r1", rig.folder, ["sbom.json"], TYPE, secured_access)
    assert await rig.oras.resolve(f"{repository}:r1", secured_access) == pushed
    assert await rig.oras.tags(repository, secured_access) == ["r1"]
    await rig.oras.pull(f"{repository}:r1", rig.folder / "pulled", secured_access)
    told = rig.arguments.read_text() + rig.log.read_text()
    told += "".join(path.read_text() for path in (rig.folder / "work").iterdir())
    assert "attest" in told
    for secret in rig.secrets():
        assert secret not in told


async def test_a_wrong_password_is_refused_as_such(rig: Rig, secured: Front, secured_access: Access) -> None:
    image = await proven(rig, rig.registry)
    there = await copied(rig, image, secured.host, secured_access)
    wrong = rig.secured(secured.host, secured_access.ca or Path(), "promoter:guessed")
    for asked in (
        copied(rig, image, secured.host, wrong), rig.oras.resolve(there, wrong),
        rig.oras.tags(there.partition("@")[0], wrong), rig.oras.pull(there, rig.folder / "pulled", wrong),
        rig.cosign.verify(there, rig.keys.trusted, wrong), rig.signed(there, wrong),
        rig.cosign.attestation(there, "cyclonedx", rig.keys.trusted, wrong),
        rig.syft.sbom(there, rig.folder / "sbom.json", wrong),
    ):  # fmt: skip
        with pytest.raises(CommandFailed, match=r"(?i)unauthorized") as failed:
            await asked
        assert "guessed" not in str(failed.value)


async def test_a_registry_of_another_authority_is_not_trusted(rig: Rig, secured: Front, secured_access: Access) -> None:
    image = await proven(rig, rig.registry)
    there = await copied(rig, image, secured.host, secured_access)
    stranger = certificate(rig.folder / "stranger").with_name("certificate.pem")
    for access in (Access(credentials=secured_access.credentials), rig.secured(secured.host, stranger)):
        seen = len(secured.asked)
        for asked in (
            copied(rig, image, secured.host, access), rig.cosign.verify(there, rig.keys.trusted, access),
            rig.syft.sbom(there, rig.folder / "sbom.json", access),
        ):  # fmt: skip
            with pytest.raises(CommandFailed, match=r"certificate|this is an HTTPS server"):
                await asked
        assert len(secured.asked) == seen


async def test_files_of_access_that_cannot_be_used_are_named(rig: Rig) -> None:
    (rig.folder / "ca.pem").write_text("not a certificate")
    (rig.folder / "login.json").write_text("{}")
    for access, said in {
        Access(ca=rig.folder / "ca.pem"): "ca.pem", Access(ca=rig.folder / "gone.pem"): "gone.pem: No such file",
        Access(credentials=rig.folder / "login.json"): "login.json is called something else",
        Access(credentials=rig.folder / "gone" / "config.json"): "config.json is not there",
    }.items():  # fmt: skip
        for asked in (
            rig.oras.tags("localhost:1/gone", access), rig.syft.sbom("localhost:1/gone:x", rig.folder / "s", access),
            rig.signed(f"localhost:1/gone@sha256:{64 * '0'}", access),
        ):  # fmt: skip
            with pytest.raises(HostError, match=said):
                await asked

"""What may not go to a target: refused with its reason, before anything is changed."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.promotion.workspace import BIN, KEYS, LOCAL, Workspace, image_of, judged

from sluice.adapters.registry.cosign import Cosign
from sluice.adapters.registry.oras import Oras
from sluice.domain import Evidence, dump, load
from sluice.promotion.release import ARTIFACT_TYPE, FILES, Release, digest_of
from sluice.promotion.signing import Key

pytestmark = pytest.mark.anyio
REPOSITORY = "localhost:5001/releases"


class Forge:
    """Makes releases that were never made by `sluice release`: of the first one's files, changed."""

    def __init__(self, workspace: Workspace, first: str, folder: Path) -> None:
        self.folder = folder
        self.oras = Oras(BIN / "oras", folder / "oras.log")
        self.cosign = Cosign(BIN / "cosign", folder / "work", folder / "cosign.log")
        self.files = folder / "files"
        shutil.copytree(workspace.tree / ".sluice" / "releases" / first, self.files)

    @property
    def release(self) -> Release:
        return load(Release, self.files / "release.json")

    def change(self, release: Release) -> None:
        (self.files / "release.json").write_bytes(dump(release))

    def bind(self) -> None:
        """Write the digests of what lies there now into the release."""
        files = {name: digest_of((self.files / name).read_bytes()) for name in FILES if name != "release.json"}
        self.change(replace(self.release, files=files))

    async def push(self, *, key: Path | None = KEYS / "cosign.key", password: str = "") -> str:
        """Push what lies there, signed unless there is no key; returns its id."""
        name = f"{self.release.id[:16]}-f{time.time_ns() % 10**9:09}"
        self.change(replace(self.release, id=name))
        digest = await self.oras.push(f"{REPOSITORY}:{name}", self.files, FILES, ARTIFACT_TYPE, LOCAL)
        if key:
            signer = Key(key, key.with_suffix(".pub"), password or (KEYS / "password").read_text())
            await self.cosign.sign(f"{REPOSITORY}@{digest}", signer, LOCAL)
        return name


@pytest.fixture
def forge(workspace: Workspace, on_first: str, tmp_path: Path) -> Forge:
    return Forge(workspace, on_first, tmp_path)


async def refused(workspace: Workspace, release: str, *reasons: str, target: str = "local") -> None:
    """A deploy is refused with these words, and the ledger is as it was."""
    before = await workspace.ledger()
    said = (await workspace.sluice("deploy", "--target", target, "--release", release)).ended(2).text
    told = " ".join(said.split())
    for reason in reasons:
        assert reason in told, said
    assert await workspace.ledger() == before


async def test_a_release_that_nobody_signed(workspace: Workspace, forge: Forge) -> None:
    await refused(workspace, await forge.push(key=None), "is not signed")


async def test_a_release_that_somebody_else_signed(workspace: Workspace, forge: Forge) -> None:
    other, _ = await forge.cosign.generate_key_pair(forge.folder / "other", "another")
    await refused(workspace, await forge.push(key=other, password="another"), "is signed, but not by cosign.pub")


async def test_a_verdict_that_failed(workspace: Workspace, forge: Forge) -> None:
    evidence = load(Evidence, forge.files / "evidence.json")
    judged(forge.files, forge.files, replace(evidence, failures=("Loki was away",)))
    forge.bind()
    release = await forge.push()
    # The run's id is what its verdict speaks of.
    await refused(workspace, release, f"its verdict is of the run {workspace.base.name}")


async def test_an_image_that_no_verdict_speaks_of(workspace: Workspace, forge: Forge) -> None:
    images = forge.release.images
    other = replace(image_of(images, "backend"), digest=image_of(images, "audit").digest)
    forge.change(replace(forge.release, images=(*(one for one in images if one.name != "backend"), other)))
    await refused(workspace, await forge.push(), "its verdict is of sha256:", "which is not released")


async def test_evidence_that_was_changed_after_the_verdict(workspace: Workspace, forge: Forge) -> None:
    file = forge.files / "evidence.json"
    file.write_text(file.read_text().replace('"outcome": "passed"', '"outcome": "failed"', 3))
    await refused(workspace, await forge.push(), "evidence.json is not the one that was released")
    forge.bind()
    await refused(workspace, await forge.push(), "its evidence makes a verdict of fail")


# Each with a namespace, and so a ledger, of its own.
def closed(workspace: Workspace) -> str:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    window = f'[[window]]\ndays = ["{tomorrow:%a}"]\nfrom = "10:00"\nuntil = "11:00"'.lower()
    return workspace.target("closed", spaces={"services": "closed"}, tables=window)


def frozen(workspace: Workspace) -> str:
    now = datetime.now(UTC)
    first, last = now - timedelta(days=1), now + timedelta(days=1)
    table = f'[[freeze]]\nfrom = {first:%Y-%m-%d}\nuntil = {last:%Y-%m-%d}\nwhy = "the fair"'
    return workspace.target("frozen", spaces={"services": "frozen"}, tables=table)


def out_of_order(workspace: Workspace) -> str:
    return workspace.target("production", spaces={"services": "production"}, after=["local"])


def soaking(workspace: Workspace) -> str:
    return workspace.target("soaking", spaces={"services": "soaking"}, after=["local"], soak_seconds=86_400)


def not_approved(workspace: Workspace) -> str:
    return workspace.target("approved", spaces={"services": "approved"}, approvals=2)


@pytest.mark.parametrize(
    ("target", "release", "reason"),
    [
        (closed, "first", "is outside of the windows of closed; it opens"),
        (frozen, "first", "the fair"),
        (out_of_order, "second", "local comes first, and this release is not verified there"),
        (soaking, "first", "it is to be on local for 1 day, 0:00:00 before soaking"),
        (not_approved, "first", "2 approvals are needed"),
    ],
)
async def test_a_target_that_does_not_take_it_now(
    workspace: Workspace, on_first: str, second: str, target: Callable[[Workspace], str], release: str, reason: str
) -> None:
    name = target(workspace)
    before = await workspace.ledger()
    try:
        said = await workspace.sluice(
            "deploy", "--target", name, "--release", {"first": on_first, "second": second}[release]
        )
        assert reason in " ".join(said.ended(2).text.split()), said.text
    finally:
        (workspace.tree / "targets" / f"{name}.toml").unlink()
    assert await workspace.ledger() == before


async def test_all_mistakes_of_targets_are_told_at_once(workspace: Workspace) -> None:
    workspace.target("wrong", strategy="bluegreen", approvals=-1)
    try:
        said = (await workspace.sluice("deploy", "--target", "wrong")).ended(2).text
    finally:
        (workspace.tree / "targets" / "wrong.toml").unlink()
    assert "strategy" in said
    assert "approvals" in said

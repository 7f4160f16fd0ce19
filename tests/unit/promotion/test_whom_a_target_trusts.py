"""Of a release and of its images, a target asks for the signature of whom its file names: a key or an identity."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from tests.unit.core.support import FakeProgress
from tests.unit.promotion.worlds import LOCAL, SOURCE

from sluice.domain import Image
from sluice.errors import SignatureRefused
from sluice.promotion.model import Target
from sluice.promotion.release import REPOSITORY
from sluice.promotion.signing import GITHUB, Identity, PublicKey, Trusted
from sluice.release_tools import ReleaseTools
from sluice.run import Run
from sluice.target_tools import Programs, TargetTools

pytestmark = pytest.mark.anyio
IMAGE = Image("api", "r/api", f"sha256:{'a' * 64}")
OURS = Identity(GITHUB, "https://github.com/acme/tasks/.github/workflows/release.yml@refs/tags/v*")


class Nobody:
    """cosign where nobody has signed: it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Trusted]] = []

    async def verify(self, reference: str, trusted: Trusted, access: Any) -> None:
        self.asked.append((reference, trusted))
        raise SignatureRefused(f"{reference} is not signed", signed=False)

    async def attestation(self, reference: str, kind: str, trusted: Trusted, access: Any) -> None:
        await self.verify(f"{reference} {kind}", trusted, access)


def reached(root: Path, target: Target, cosign: Nobody) -> TargetTools:
    box: Any = SimpleNamespace(root=root)
    tools = cast(ReleaseTools, SimpleNamespace(cosign=cosign, oras=None))
    run, nowhere = Run(root / "runs", FakeProgress()), Programs(Path("helm"), Path("kubectl"))
    return TargetTools(box, root, run, target, tools, nowhere, httpx.AsyncClient(), root / "work" / "kubeconfig")


@pytest.mark.parametrize("named", [None, OURS])
async def test_it_is_asked_for_everywhere_and_named(tmp_path: Path, named: Identity | None) -> None:
    target, cosign = replace(LOCAL, identity=named), Nobody()
    trusted = named or PublicKey(tmp_path / LOCAL.public_key)
    tools = reached(tmp_path, target, cosign)
    with pytest.raises(SignatureRefused):
        await tools.fetch(SOURCE, IMAGE.digest)
    found = await tools.unproven(SOURCE, [IMAGE])
    there = f"{SOURCE.repository}/api@{IMAGE.digest}"
    assert cosign.asked == [
        (f"{SOURCE.repository}/{REPOSITORY}@{IMAGE.digest}", trusted),
        (there, trusted),
        (f"{there} cyclonedx", trusted),
        (f"{there} slsaprovenance1", trusted),
    ]
    assert found == [
        f"api: {there} is not signed",
        f"api has no SBOM that {trusted} signed",
        f"api has no provenance that {trusted} signed",
    ]

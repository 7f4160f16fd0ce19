"""share_secrets and services of a region: nothing is overwritten, and who stands by has no pods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.domain import ChartRelease, Image, Service
from sluice.errors import FailoverError, SourceError
from sluice.steps.install_charts import Installer, values_in
from sluice.steps.install_region import in_a_region, install_region_service, share_secrets

pytestmark = pytest.mark.anyio
BACKEND = Service("backend", "", "services/backend", 8000, "helm/backend", "backend", ())
IMAGE = Image("backend", "localhost:5001/backend", "sha256:1")


@dataclass
class Secrets:
    """Implements the Secrets of a cluster."""

    kept: dict[str, dict[str, str]] = field(default_factory=dict)

    async def ensure_secret(self, name: str, _: str, values: Mapping[str, str], *, kind: str = "Opaque") -> None:
        self.kept.setdefault(name, dict(values))

    async def read_secret(self, name: str, _: str) -> dict[str, str]:
        return self.kept.get(name, {})


async def test_the_region_that_stands_by_has_what_the_active_one_has() -> None:
    active, standby = Secrets({"a": {"password": "x"}, "b": {"k": "y"}, "own": {}}), Secrets()
    for _ in range(2):
        await share_secrets(active, standby, ("a", "b"), "shop", "west")
    assert standby.kept == {"a": {"password": "x"}, "b": {"k": "y"}}


async def test_a_secret_of_its_own_is_not_overwritten_nor_told() -> None:
    standby = Secrets({"a": {"password": "of-west"}})
    with pytest.raises(FailoverError) as caught:
        await share_secrets(Secrets({"a": {"password": "of-east"}}), standby, ("a",), "shop", "west")
    assert standby.kept == {"a": {"password": "of-west"}}
    assert "west has a Secret a of its own" in str(caught.value)
    assert "of-west" not in str(caught.value)
    assert "of-east" not in str(caught.value)


async def test_what_the_active_region_lacks_is_said() -> None:
    with pytest.raises(FailoverError, match="has no Secret a"):
        await share_secrets(Secrets(), Secrets(), ("a",), "shop", "west")


class Charts:
    """Notes the values that a chart is installed with."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def install(
        self,
        release: str,
        _chart: str,
        namespace: str,
        *,
        values: Mapping[str, object],
        value_files: Sequence[Path] = (),
    ) -> ChartRelease:
        for file in value_files:
            self.values |= yaml.safe_load(file.read_text())
        return ChartRelease(release, namespace, 1)


@pytest.mark.parametrize("replicas", [0, 1])
async def test_services_have_as_many_pods_as_the_region_needs(tmp_path: Path, replicas: int) -> None:
    charts, waited = Charts(), list[str]()

    async def rolled_out(_: str, *, expect: Sequence[str] = (), selector: str = "") -> None:
        waited.extend(expect)

    installer = Installer(tmp_path, charts, None, rolled_out, values_in(tmp_path))  # type: ignore[arg-type]
    work = tmp_path / "work"
    await install_region_service(installer, BACKEND, "shop", IMAGE, {}, replicas=replicas, work=work)
    assert charts.values["autoscaling"] == {"enabled": False, "minReplicas": replicas}
    assert waited == ["shop/Deployment/backend"]


def test_a_fixture_that_is_not_there_or_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="k8s-fixtures/kafka"):
        in_a_region(tmp_path, "kafka")
    folder = tmp_path / "k8s-fixtures" / "kafka-region"
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text("images: [{")
    with pytest.raises(SourceError, match="kafka-region"):
        in_a_region(tmp_path, "kafka")

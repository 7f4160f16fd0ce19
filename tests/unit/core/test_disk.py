"""Room on disk: all of it for a run that builds, little for one on a cluster that is kept."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.support import FakeProgress
from tests.unit.core.trees import write

from sluice.adapters import host
from sluice.bootstrap import Options, Toolbox
from sluice.domain import Component
from sluice.errors import HostError
from sluice.run import Run
from sluice.settings import Settings
from sluice.supply.cache import Cache
from sluice.supply.catalog import load_catalog

ROOT = Path(__file__).parents[3]
KIND = load_catalog()["kind"].version


class Rig:
    """A machine with so much room, on which a cluster was kept with a kind of a version."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch

    def box(
        self, free_gb: float, *, kept: str = "sluice", kind: str = KIND, reuse: bool = True, floor_gb: float = 20
    ) -> Toolbox:
        """The toolbox of a run there."""
        self.monkeypatch.setattr(host, "free_bytes", lambda _: free_gb * 1e9)
        given: dict[str, Any] = {"run": {"cache": str(self.folder / "cache"), "disk_floor_gb": floor_gb}}
        settings = Settings.model_validate(given)
        write(settings.cache, {f"clusters/{kept}.kubeconfig": ""})
        cache = Cache(settings.cache)
        with cache.workspace("kind") as into:
            cache.publish(into, "k", Component("kind", kind, "source", "sha256:1", str(into), 1, 1.0))
        return Toolbox(ROOT, settings, Run(self.folder, FakeProgress()), Options(reuse=reuse))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("asked", "free_gb", "expected"),
    [
        ({}, 5.1, ""),
        ({}, 4.9, "5 GB for a cluster that is kept"),
        ({"reuse": False}, 19.9, "20 GB"),
        ({"reuse": False}, 20.1, ""),
        ({"kept": "sluice-target"}, 19.9, "20 GB"),  # which is another one
        ({"kind": "0.0.1"}, 19.9, "20 GB"),  # a newer one has to be built
        ({"floor_gb": 0}, 0, ""),
        ({"floor_gb": 2}, 3, ""),
    ],
)
def test_a_run_asks_for_what_it_may_fill(rig: Rig, asked: dict[str, Any], free_gb: float, expected: str) -> None:
    box = rig.box(free_gb, **asked)
    if not expected:
        box.check_disk()
        return
    with pytest.raises(HostError) as refused:
        box.check_disk()
    assert refused.value.expected == expected
    assert refused.value.seen.startswith(f"{free_gb:.1f} GB free below ")


def test_the_target_is_a_cluster_of_its_own(rig: Rig) -> None:
    box = rig.box(6, kept="sluice-target")
    box.check_disk("sluice-target")
    with pytest.raises(HostError):
        box.check_disk()

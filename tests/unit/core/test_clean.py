"""clean: removes what Sluice made and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.core.support import OURS, FakeEngine, container_json, program
from tests.unit.core.trees import write

from sluice import housekeeping
from sluice.adapters.docker import engine as engine_module
from sluice.adapters.process import Completed
from sluice.domain import Component
from sluice.errors import ClusterError
from sluice.settings import Settings
from sluice.supply.cache import Cache

pytestmark = pytest.mark.anyio
NODE, REGISTRY = "sluice-control-plane", "sluice-registry"


class Rig:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.cache = folder / "tree", folder / "cache"
        self.engine = FakeEngine(folder / "containers", {"volume inspect": Completed(1, "", "none")})
        self.settings = Settings.model_validate({"run": {"cache": str(self.cache)}})
        self.up = True
        self.stopped = False

        async def answers() -> bool:
            return self.up

        async def stop(state_dir: Path, say: Callable[[str], None]) -> bool:
            self.stopped = True
            return True

        monkeypatch.setattr(engine_module, "answers", answers)
        monkeypatch.setattr(engine_module, "stop_own_engine", stop)
        monkeypatch.setattr(housekeeping, "Engine", lambda _: self.engine)
        write(self.cache, {"supply/loki/k/x": "", "go/build/x": "", "staging/sluice/x": "", "images/x": "", "mine": ""})
        write(self.root, {".sluice/tools/bin/x": "", ".sluice/runs/1/evidence.json": ""})

    def cluster(self, *, ours: bool = True) -> None:
        """Have a cluster, and a mark of it where it is ours."""
        self.engine.put(NODE, container_json("node:1", number="id-7"))
        if ours:
            write(self.cache, {
                "clusters/sluice.json": json.dumps({"made_by": "sluice", "node_id": "id-7"}),
                "clusters/sluice.kubeconfig": "",
            })  # fmt: skip

    def kind(self) -> None:
        """Have a kind in the cache, and half of one that a killed run left."""
        cache = Cache(self.cache)
        with cache.workspace("kind") as into:
            node = (
                f"os.path.join({str(self.engine.folder)!r}, sys.argv[sys.argv.index('--name') + 1] + '-control-plane')"
            )
            program(into / "kind", f"import os, sys; os.unlink({node})")
            cache.publish(into, "k", Component("kind", "1", "source", "sha256:1", str(into), 1, 1.0))
        write(self.cache, {"supply/kind/tmp-1/artifact/kind": "half"})

    async def clean(self, *, with_cache: bool = False) -> list[str]:
        return await housekeeping.clean(self.settings, self.root, with_cache=with_cache)

    def left(self) -> set[str]:
        return {str(path.relative_to(self.cache)) for path in self.cache.rglob("*") if path.is_file()}


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


async def test_what_is_ours_is_removed_and_said(rig: Rig) -> None:
    rig.kind()
    rig.cluster()
    rig.engine.put(REGISTRY, container_json("registry", labels=OURS))
    rig.engine.put("sluice-west-control-plane", container_json("node:1", number="id-8"))
    write(rig.cache, {"clusters/sluice-west.json": json.dumps({"made_by": "sluice", "node_id": "id-8"})})
    write(rig.root, {".sluice/regions/active.json": "{}"})
    said = await rig.clean()
    assert "removed the cluster sluice-west" in said
    assert not (rig.root / ".sluice/regions").exists()
    assert said[:2] == ["removed the cluster sluice", "removed the registry sluice-registry and its volume"]
    assert not rig.engine.has(NODE)
    assert not rig.engine.has(REGISTRY)
    assert "clusters/sluice.json" not in rig.left()
    assert rig.stopped
    assert not (rig.root / ".sluice/tools").exists()
    assert (rig.root / ".sluice/runs/1/evidence.json").exists(), "evidence is the user's"


async def test_a_cluster_is_removed_although_no_kind_is_left(rig: Rig) -> None:
    rig.cluster()
    assert (await rig.clean(with_cache=True))[0] == "removed the cluster sluice"
    assert not rig.engine.has(NODE)
    assert rig.left() == {"mine"}


async def test_what_is_not_ours_is_refused_and_left(rig: Rig) -> None:
    rig.cluster(ours=False)
    with pytest.raises(ClusterError, match="did not make"):
        await rig.clean(with_cache=True)
    assert rig.engine.has(NODE)
    assert "supply/loki/k/x" in rig.left()


async def test_what_was_built_is_kept_unless_asked(rig: Rig) -> None:
    await rig.clean()
    assert rig.left() == {"supply/loki/k/x", "go/build/x", "images/x", "mine"}


async def test_with_the_cache_only_our_own_folders_go(rig: Rig) -> None:
    write(rig.cache, {"clusters/another.json": "{}"})
    await rig.clean(with_cache=True)
    assert rig.left() == {"mine", "clusters/another.json"}


async def test_images_are_those_of_components_and_of_services(rig: Rig) -> None:
    listing = "image ls --filter"
    rig.engine.answers |= {
        f"{listing} reference=sluice.local/*": Completed(0, "sluice.local/node:1 a1\n", ""),
        f"{listing} label=dev.sluice.owner=sluice": Completed(
            0, "localhost:5001/backend:latest b1\n<none>:<none> c1\n", ""
        ),
    }
    assert "removed the images of components and services (3 names)" in await rig.clean()
    assert rig.engine.called("image", "rm") == [
        ("image", "rm", "c1", "localhost:5001/backend:latest", "sluice.local/node:1")
    ]


async def test_an_engine_that_others_use_goes_on(rig: Rig) -> None:
    rig.engine.answers["ps"] = Completed(0, "abc\ndef", "")
    assert "the Docker engine goes on: 2 containers that are not ours run on it" in await rig.clean()
    assert not rig.stopped


async def test_without_an_engine_files_are_still_removed(rig: Rig) -> None:
    rig.up = False
    assert await rig.clean(with_cache=True) == [f"removed what was built and fetched below {rig.cache}"]
    assert rig.engine.calls == []
    assert rig.left() == {"mine"}
    for with_cache in (False, True):
        assert await rig.clean(with_cache=with_cache) == ["nothing here was made by Sluice"]
    assert not (rig.cache / "clusters").exists()

"""The local target: what it has before anything is deployed, and what is left when it is gone."""

import stat
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.core.support import FakeProgress

from sluice import local_target
from sluice.domain import Cluster, Fixture, Source
from sluice.errors import ClusterError
from sluice.local_target import LocalTarget
from sluice.run import Run
from sluice.settings import Settings

pytestmark = pytest.mark.anyio
SECRET = ("sluice-registry", "kubernetes.io/dockerconfigjson", '{"auths": {}}')


class FakeInstaller:
    """Implements as much of steps.install_charts.Installer as an empty target asks; `secrets` by namespace."""

    def __init__(self) -> None:
        self.secrets: dict[str, tuple[str, str, str]] = {}
        self.waited_for: list[str] = []
        self.manifests = self

    async def ensure_secret(self, name: str, namespace: str, values: Mapping[str, str], *, kind: str) -> None:
        """Note it."""
        self.secrets[namespace] = (name, kind, values[".dockerconfigjson"])

    async def rolled_out(self, namespace: str) -> None:
        """At once, and note it."""
        self.waited_for.append(namespace)


class Made:
    """A local target below a folder, whose cluster and registry are none; `there` says what there is to remove."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.created, self.there, self.installer = home, True, True, FakeInstaller()
        self.fixtures: tuple[Fixture, ...] = ()
        self.interrupted = ""

        async def nothing(*_: object, **__: object) -> None:
            pass

        async def source() -> Source:
            return Source(str(home), "", dirty=False, digest="", services=(), fixtures=self.fixtures)

        async def create(_: object) -> Cluster:
            (home / "target").mkdir(parents=True, exist_ok=True)
            (home / "target" / "config.json").write_text(SECRET[2])
            (home / "kind.yaml").write_text("kubeconfig")
            return Cluster("sluice-target", str(home / "kind.yaml"), "localhost:5443", "node", "1", self.created)

        async def installer(*_: object) -> FakeInstaller:
            return self.installer

        async def removed(*_: object) -> bool:
            return self.there

        async def interrupted() -> str:
            return self.interrupted

        async def removes(*_: object) -> Any:
            return SimpleNamespace(
                name="sluice-target", delete=removed, remove=removed, owned=removed, interrupted=interrupted
            )

        for name, instead in (("prepare", nothing), ("install_secrets", nothing), ("install_fixture", nothing)):
            monkeypatch.setattr(local_target, name, instead)
        for name, method in (("_create", create), ("_installer", installer), ("registry", removes)):
            monkeypatch.setattr(LocalTarget, name, method)
        box: Any = SimpleNamespace(
            resolve_source=source,
            cluster_parts=nothing,
            definitions=nothing,
            component_images=nothing,
            provider=removes,
            supply=SimpleNamespace(get=nothing),
        )
        self.target = LocalTarget(home, Settings(), Run(home / "target-runs", FakeProgress()), box)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(tmp_path, monkeypatch)


async def test_it_can_pull_in_every_namespace_and_its_kubeconfig_is_nobody_elses(made: Made) -> None:
    await made.target.up()
    assert made.installer.secrets == dict.fromkeys(("default", "monitoring", "logging"), SECRET)
    kubeconfig = made.home / "target" / "kubeconfig"
    assert kubeconfig.read_text() == "kubeconfig"
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600


async def test_what_a_deploy_expects_is_waited_for_and_nothing_else(made: Made) -> None:
    await made.target.up()
    assert made.installer.waited_for == [], "services that need nothing leave a namespace empty"
    made.fixtures = (Fixture("postgresql"),)
    await made.target.up()
    assert made.installer.waited_for == ["default"]


@pytest.mark.parametrize("created", [True, False])
async def test_the_copy_of_a_ledger_goes_with_its_cluster(made: Made, created: bool) -> None:
    made.created = created
    copy, other = (made.home / "ledgers" / f"{name}.jsonl" for name in ("local", "gke"))
    copy.parent.mkdir()
    for file in (copy, other):
        file.write_text("entries")
    await made.target.up()
    assert copy.exists() is not created, "an empty ledger would be told as one that was cut"
    assert copy.with_suffix(".before").exists() is created
    assert other.exists()


async def test_one_whose_node_was_stopped_is_refused_and_left_as_it_is(made: Made) -> None:
    made.interrupted = "its node is stopped since noon"
    with pytest.raises(ClusterError) as refused:
        await made.target.up()
    assert refused.value.seen == made.interrupted
    assert "target -- down && ./nox -s target -- up" in refused.value.next_command
    assert not (made.home / "kind.yaml").exists(), "nothing was made"
    await made.target.up(new=True)
    assert (made.home / "kind.yaml").exists()


async def test_where_there_is_none_nothing_was_interrupted(made: Made) -> None:
    made.there, made.interrupted = False, "of somebody else's"
    await made.target.up()
    assert (made.home / "kind.yaml").exists()


@pytest.mark.parametrize("there", [True, False])
async def test_down_says_what_it_removed(made: Made, there: bool) -> None:
    made.there = there
    if there:
        await made.target.up()
    said = await made.target.down()
    expected = [
        "removed the cluster sluice-target",
        "removed the registry sluice-target-registry and what it held",
        f"removed {made.home / 'target'}",
    ]
    assert said == (expected if there else [])
    assert not (made.home / "target").exists()

"""create_cluster: keep what fits, replace what does not, and join the registry either way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sluice.domain import Cluster
from sluice.errors import ClusterError
from sluice.steps.create_cluster import create_cluster

pytestmark = pytest.mark.anyio


@dataclass
class FakeProvider:
    """Implements ClusterProvider."""

    is_owned: bool = False
    is_running: bool = False
    foreign: bool = False
    name: str = "mine"
    node: str = "mine-control-plane"
    kubeconfig: Path = Path("kubeconfig")
    done: list[str] = field(default_factory=list)

    async def owned(self) -> bool:
        if self.foreign:
            raise ClusterError("not ours")
        return self.is_owned

    async def runs(self, node_image: str) -> bool:
        return self.is_running and node_image == "node:1"

    async def create(self, node_image: str, config: str, on_line: Callable[[str], None]) -> None:
        self.done.append(f"create {node_image}")

    async def delete(self) -> bool:
        self.done.append("delete")
        return self.is_owned


class FakeRegistry:
    """Implements NodeRegistry."""

    host = "localhost:5001"

    def __init__(self) -> None:
        self.joined: list[str] = []

    async def join(self, node: str) -> None:
        self.joined.append(node)


async def raised(provider: FakeProvider, *, reuse: bool) -> tuple[Cluster, FakeRegistry]:
    registry = FakeRegistry()
    cluster = await create_cluster(
        provider, registry, node_image="node:1", kubernetes="1.34.2", config="", reuse=reuse, on_line=lambda _: None
    )
    return cluster, registry


async def test_a_new_cluster_is_made_and_knows_the_registry() -> None:
    provider = FakeProvider()
    cluster, registry = await raised(provider, reuse=True)
    assert cluster == Cluster("mine", "kubeconfig", "localhost:5001", "node:1", "1.34.2", created=True)
    assert provider.done == ["delete", "create node:1"]
    assert registry.joined == ["mine-control-plane"]


async def test_a_kept_one_that_fits_is_used_again() -> None:
    provider = FakeProvider(is_owned=True, is_running=True)
    cluster, registry = await raised(provider, reuse=True)
    assert not cluster.created
    assert provider.done == []
    assert registry.joined == ["mine-control-plane"]


@pytest.mark.parametrize(("running", "reuse"), [(True, False), (False, True), (False, False)])
async def test_what_does_not_fit_or_is_not_wanted_is_replaced(*, running: bool, reuse: bool) -> None:
    provider = FakeProvider(is_owned=True, is_running=running)
    cluster, _ = await raised(provider, reuse=reuse)
    assert cluster.created
    assert provider.done == ["delete", "create node:1"]


@pytest.mark.parametrize("reuse", [True, False])
async def test_one_that_is_not_ours_is_not_touched(*, reuse: bool) -> None:
    provider = FakeProvider(foreign=True)
    with pytest.raises(ClusterError, match="not ours"):
        await raised(provider, reuse=reuse)
    assert provider.done == []

"""A cluster that answers: the kept one where it still fits, otherwise a new one."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sluice.domain import Cluster


class ClusterProvider(Protocol):
    """Knows how to make, find and remove a cluster of one name."""

    name: str
    node: str
    kubeconfig: Path

    async def owned(self) -> bool:
        """Whether it exists; raises ClusterError where it exists and is not ours."""
        ...

    async def runs(self, node_image: str) -> bool:
        """Whether it runs that node image and answers."""
        ...

    async def create(self, node_image: str, config: str, on_line: Callable[[str], None]) -> None:
        """Make it and wait until its node is ready."""
        ...

    async def delete(self) -> bool:
        """Remove it; whether there was one."""
        ...


class NodeRegistry(Protocol):
    """Knows how to let a node pull from the registry that this host pushes to."""

    host: str

    async def join(self, node: str) -> None:
        """Make the registry known to a node."""
        ...


async def create_cluster(
    provider: ClusterProvider,
    registry: NodeRegistry,
    *,
    node_image: str,
    kubernetes: str,
    config: str,
    reuse: bool,
    on_line: Callable[[str], None],
) -> Cluster:
    """Return a cluster with the registry known to its node.

    `reuse` keeps one of ours that runs the same node image and answers; anything else of ours is replaced, so that
    what a killed run left behind does no harm. Raises ClusterError for a cluster that is not ours.
    """
    created = False
    if not (await provider.owned() and reuse and await provider.runs(node_image)):
        await provider.delete()
        await provider.create(node_image, config, on_line)
        created = True
    await registry.join(provider.node)
    return Cluster(provider.name, str(provider.kubeconfig), registry.host, node_image, kubernetes, created)

"""Containers beside the cluster, on kind's network: whose they are, and how pods and nodes reach them by name."""

from typing import Any

from sluice.adapters.docker.engine import Engine
from sluice.errors import ClusterError

OWNER_LABEL = "dev.sluice.owner"
OURS = f"{OWNER_LABEL}=sluice"
_NETWORK = "kind"


def is_ours(found: dict[str, Any]) -> bool:
    """Return whether Sluice made a container, as `Engine.container` tells of it."""
    return (found["Config"]["Labels"] or {}).get(OWNER_LABEL) == "sluice"


def refuse_foreign(name: str, found: dict[str, Any], command: str) -> None:
    """Raise ClusterError for a container of our name that is not ours; `command` is what meets it, such as `e2e`."""
    if not is_ours(found):
        raise ClusterError(
            f"a container named {name} exists that Sluice did not make",
            seen=f"labels {found['Config']['Labels'] or {}}",
            expected=f"the label {OURS}, or no such container",
            next_command=f"SLUICE_CLUSTER_NAME=another ./nox -s {command}",
        )


async def join_network(engine: Engine, container: str, what: str) -> None:
    """Join a container to kind's network, where it is known by its name; once or again. Raises ClusterError."""
    joined = await engine.docker("network", "connect", _NETWORK, container, check=False)
    if joined.status != 0 and "already exists" not in joined.tail:
        raise ClusterError(
            f"{what} cannot join kind's network",
            seen=joined.tail,
            expected="the network kind",
            next_command="docker network ls",
        )

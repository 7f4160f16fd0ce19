"""A region as it tells of itself, and as it was found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

REGIONS = ("east", "west")
# Ports of the nodes by which a region is reached from the other one: k8s-fixtures/postgresql-region, kafka-region.
DATABASE_PORT, BROKER_PORT = 30432, 30094
CONFIG_MAP = "region"  # what region.sh in PostgreSQL's image reads

Role = Literal["primary", "standby", "fenced"]


def cluster_of(cluster: str, region: str) -> str:
    """Return the name of a region's kind cluster; `cluster` is that of the settings."""
    return f"{cluster}-{region}"


def node_of(cluster: str, region: str) -> str:
    """Return the name by which a region's node is found on the nodes' network."""
    return f"{cluster_of(cluster, region)}-control-plane"


def other(region: str) -> str:
    """Return the other region."""
    return REGIONS[1 - REGIONS.index(region)]


@dataclass(frozen=True)
class Marker:
    """What a region's ConfigMap says: its role, and of which epoch that is; each switch begins a new one.

    `first`: there never was a database. `alone`: the other side is fenced or lost, so that nobody is asked.
    """

    name: str
    role: Role
    epoch: int
    first: bool = False
    alone: bool = False

    def data(self, cluster: str) -> dict[str, str]:
        """Return the ConfigMap's data; `cluster` is that of the settings."""
        return {
            "name": self.name,
            "host": node_of(cluster, self.name),
            "role": self.role,
            "epoch": str(self.epoch),
            "first": "yes" if self.first else "",
            "alone": "yes" if self.alone else "",
            "peer-host": node_of(cluster, other(self.name)),
            "peer-port": str(DATABASE_PORT),
        }

    @classmethod
    def read(cls, data: Mapping[str, str]) -> "Marker":
        """Return what `data` wrote. Raises ValueError for what it did not."""
        role, epoch = data.get("role", ""), data.get("epoch", "")
        if role not in get_args(Role) or not epoch.isdigit() or data.get("name") not in REGIONS:
            raise ValueError(f"role {role!r}, epoch {epoch!r}, name {data.get('name')!r}")
        return cls(data["name"], cast(Role, role), int(epoch), data.get("first") == "yes", data.get("alone") == "yes")


@dataclass(frozen=True)
class Database:
    """A server as it answers. Positions in the WAL are in bytes from its beginning.

    `at` is how far a primary wrote, and a standby replayed; `received` how far a standby has it. `last_commit` is when
    the last transaction that a standby replayed was committed, in seconds since the epoch; 0 where there was none.
    """

    standby: bool
    timeline: int
    at: int
    received: int = 0
    streaming: bool = False
    last_commit: float = 0.0


@dataclass(frozen=True)
class Seen:
    """A region as it was found. `unreachable` is why nothing could be asked of it.

    `trouble` are lines on nodes and pods that are not ready; `release` is the digest that the ledger has last verified
    there, `images` the references that its services are told to run, by workload and container.
    """

    name: str
    unreachable: str = ""
    marker: Marker | None = None
    trouble: tuple[str, ...] = ()
    database: Database | None = None
    release: str = ""
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

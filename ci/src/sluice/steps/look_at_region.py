"""A region as it is now: what it says of itself, what of it is not ready, how far its database is, what runs there."""

from collections.abc import Callable
from typing import Protocol

from sluice.errors import LedgerError, SluiceError, in_a_line
from sluice.regions.model import Database, Marker, Seen


class Told(Protocol):
    """Knows how to ask a region."""

    name: str

    async def unreachable(self) -> str:
        """Why its API server does not answer; empty where it does."""
        ...

    async def marker(self) -> Marker | None:
        """What its ConfigMap says; None where there is none, or one that says nothing."""
        ...

    async def trouble(self) -> list[str]:
        """Its nodes and workloads that are not ready, and why. Raises ClusterError."""
        ...

    async def database(self) -> Database:
        """Its server, as it answers. Raises FailoverError where it does not."""
        ...

    async def release(self) -> str:
        """The digest of the release that was last verified there; empty where none was. Raises as the ledger does."""
        ...

    async def images(self) -> dict[str, tuple[str, ...]]:
        """What its services are told to run, by workload and container. Raises ClusterError."""
        ...


async def look(region: Told, last_known: Callable[[], str]) -> Seen:
    """Return the region as it is; nothing that it does not answer is raised.

    `last_known` gives the release that this host knows to be there, for a region that cannot be asked.
    """
    if cause := await region.unreachable():
        return Seen(region.name, unreachable=cause, release=_known(last_known))
    trouble: list[str] = []
    release, images, marker = "", dict[str, tuple[str, ...]](), None
    try:
        marker = await region.marker()
        trouble += await region.trouble()
        images = await region.images()
        release = await region.release()
    except SluiceError as error:
        trouble.append(in_a_line(error))
    database: Database | None
    try:
        database = await region.database()
    except SluiceError as error:
        database = None
        trouble.append(in_a_line(error))
    return Seen(region.name, "", marker, tuple(trouble), database, release, images)


def _known(last_known: Callable[[], str]) -> str:
    try:
        return last_known()
    except LedgerError:  # as good as none: the gate says that the releases differ
        return ""

"""The old side gives up: nothing of it writes any more, and nothing of it begins to by itself."""

from collections.abc import Callable
from typing import Protocol

from sluice.errors import FailoverError
from sluice.regions.model import Database, Marker

UNKNOWN = -1


class Fenced(Protocol):
    """Knows how to take a region out of service."""

    name: str

    async def mark(self, marker: Marker) -> None:
        """Write down what it is from now on."""
        ...

    async def services(self, replicas: int, *, deadline_seconds: float) -> None:
        """Give its services so many pods each; returns when there are as many. Raises NotReady."""
        ...

    async def database(self) -> Database:
        """Its server, as it answers. Raises FailoverError where it does not."""
        ...

    async def server(self, *, running: bool, deadline_seconds: float) -> None:
        """Start its server or end it in order; returns when it is up, or gone. Raises NotReady."""
        ...


async def fence(
    old: Fenced,
    epoch: int,
    note: Callable[[int], None],
    *,
    wrote: int = 0,
    may_be_unknown: bool = False,
    deadline_seconds: float,
) -> int:
    """Fence a region that answers; returns how far its database wrote, in bytes of WAL, UNKNOWN where it did not say.

    In this order: it is written down, so that whatever is started again does not write; nobody asks the database for
    anything any more; how far it wrote is noted (`note`); the server ends, and before that sends all of it to who
    follows. May be done again from any point: `wrote` is what was noted. Raises FailoverError where the database does
    not answer, unless that was overruled (`may_be_unknown`).
    """
    await old.mark(Marker(old.name, "fenced", epoch))
    await old.services(0, deadline_seconds=deadline_seconds)
    if not wrote:
        try:
            wrote = (await old.database()).at
        except FailoverError:
            if not may_be_unknown:
                raise
            wrote = UNKNOWN
        note(wrote)
    await old.server(running=False, deadline_seconds=deadline_seconds)
    return wrote

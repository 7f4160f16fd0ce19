"""The new side takes over: first it has everything that is to be had, then it is promoted."""

from typing import Protocol

import anyio

from sluice.errors import FailoverError, NotReady, in_a_line
from sluice.regions.model import Database, Marker

_POLL_SECONDS = 0.2
_STILL_SECONDS = 3.0  # of a lost primary the last record may have arrived in part: it is never replayed


class Promoted(Protocol):
    """Knows how to make a primary of a region's database."""

    name: str

    async def mark(self, marker: Marker) -> None:
        """Write down what it is from now on."""
        ...

    async def database(self) -> Database:
        """Its server, as it answers. Raises FailoverError where it does not."""
        ...

    async def promote(self, *, deadline_seconds: float) -> None:
        """Have the server follow nobody any more; one that follows nobody is left. Raises FailoverError."""
        ...


async def catch_up(new: Promoted, wrote: int, *, deadline_seconds: float) -> Database:
    """Wait until a standby has replayed up to `wrote` (bytes of WAL), or all that it can where that is not positive.

    Returns it as it was then. Raises NotReady at the deadline with how far it is, FailoverError where it follows
    nobody already: nobody can tell then what it has.
    """
    last, still_at, since = "no answer", -1, 0.0
    with anyio.move_on_after(deadline_seconds):
        while True:
            try:
                found = await new.database()
            except FailoverError as error:
                last = in_a_line(error)
            else:
                if not found.standby:
                    raise FailoverError(
                        f"{new.name}'s database follows nobody, and was not promoted by this switch",
                        seen=f"it writes, on timeline {found.timeline}",
                        expected="a standby that replays what it has",
                        next_command="./nox -s regions -- status",
                    )
                goal = wrote if wrote > 0 else found.received
                if found.at != still_at:
                    still_at, since = found.at, anyio.current_time()
                still = wrote <= 0 and anyio.current_time() - since >= _STILL_SECONDS
                if found.at >= goal or still:
                    return found
                last = f"it has replayed {found.at} of {goal} bytes of WAL, {found.received} are there"
            await anyio.sleep(_POLL_SECONDS)
    raise NotReady(
        f"{new.name}'s database has not caught up within {deadline_seconds:.0f} s",
        seen=last,
        expected="all that the old side wrote",
        next_command="kubectl logs postgresql-0, in both regions; then go on with --again",
    )


async def promote(new: Promoted, epoch: int, *, deadline_seconds: float) -> None:
    """Make a primary of a region's standby. May be done again from any point. Raises FailoverError.

    What it is is written down first: a server that is started again in between still follows until it is promoted,
    and nobody makes it follow the old side again.
    """
    await new.mark(Marker(new.name, "primary", epoch, alone=True))
    await new.promote(deadline_seconds=deadline_seconds)

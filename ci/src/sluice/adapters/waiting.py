"""The one way to wait: poll, with a deadline, and say at the deadline why it was not yet."""

from collections.abc import Awaitable, Callable

import anyio

from sluice.errors import NotReady


async def until(
    cause: Callable[[], Awaitable[str | None]],
    *,
    deadline_seconds: float,
    what: str,
    next_command: str = "",
    every_seconds: float = 0.3,
) -> None:
    """Poll until `cause()` is None. `cause` tells why it is not yet; NotReady at the deadline carries the last one."""
    last = "no answer to the first question"
    with anyio.move_on_after(deadline_seconds) as limit:
        while (now := await cause()) is not None:
            last = now
            await anyio.sleep(every_seconds)
    if limit.cancelled_caught:
        raise NotReady(
            f"{what} is not ready after {deadline_seconds:.0f} s",
            seen=last,
            expected="ready",
            next_command=next_command,
        )

"""The story of the logs suite: a user's requests and one provoked error, all sent at once."""

import time
import uuid
from dataclasses import dataclass
from typing import TypedDict

import anyio
import httpx
from tests.e2e.support import PROVOKED, SHIPPED_WITHIN, SKEW_SECONDS, Clients, shown
from tests.e2e.users import new_user

READS = 20

# Once the first wait ran out, what is still missing will not come: the tests after it need not wait as long.
_LEAST_PATIENCE_SECONDS = 3.0


class Window(TypedDict):
    """A query's window, in seconds since the epoch."""

    start: float
    end: float


@dataclass(frozen=True)
class Story:
    """What was sent: by whom, since when, and which request ended how."""

    user: str
    since: float
    created: httpx.Response
    failed: httpx.Response
    marker: str
    request_ids: tuple[str, ...]

    @property
    def patience(self) -> float:
        """How long to wait for lines from now on, in seconds: all of them were sent at the same time."""
        return max(_LEAST_PATIENCE_SECONDS, self.since + SHIPPED_WITHIN - time.time())

    @property
    def window(self) -> Window:
        """From before the first request until now."""
        return Window(start=self.since - SKEW_SECONDS, end=time.time() + SKEW_SECONDS)


async def tell(clients: Clients) -> Story:
    """Tell the story."""
    ids: list[str] = []
    backend = clients.backend(new_user(), ids.append)
    since, marker = time.time(), f"{PROVOKED}-{uuid.uuid4().hex}"
    created = await backend.request(
        "POST", "/api/v1/tasks", json={"title": f"a title that nobody else has {marker[-8:]}"}
    )
    failed = await backend.provoke_error(marker)

    async def read() -> None:
        shown(await backend.request("GET", created.headers["Location"]), 200)

    async with anyio.create_task_group() as group:
        for _ in range(READS):
            group.start_soon(read)
    return Story(backend.user, since, created, failed, marker, tuple(ids))

"""What events brought about, as one user sees it in the services that consume them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.audit import entries_of
from tests.e2e.support import Backend, Client

CHANGES = "/api/v1/changes"
_PAGE = "500"


@dataclass(frozen=True)
class Effects:
    """The readers of one user's tasks, changes and audit entries."""

    backend: Backend
    sync: Client
    audit: Client

    @staticmethod
    def of(backend: Backend, client: Callable[..., Client]) -> "Effects":
        """The effects of the user of a backend's client."""
        return Effects(backend, client("sync"), client("audit"))

    async def tasks(self) -> list[dict[str, Any]]:
        """The user's open tasks, of which there are 100 at most."""
        items: list[dict[str, Any]] = (await self.backend.list(completed="false", limit="100"))["items"]
        return items

    async def changes(self) -> list[tuple[int, str, str]]:
        """Sequence, type and task of every change that sync has numbered."""
        found: list[tuple[int, str, str]] = []
        more = True
        while more:
            after = str(found[-1][0]) if found else "0"
            page = await self.sync.read(CHANGES, after=after, limit=_PAGE)
            found += [(one["sequence"], one["event"]["type"], one["event"]["task_id"]) for one in page["items"]]
            more = page["more"]
        return found

    async def entries(self) -> Counter[str]:
        """How many audit entries there are by event id."""
        return Counter(entry["event_id"] for entry in await entries_of(self.audit))

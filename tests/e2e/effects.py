"""What events brought about, as one user sees it in the services that consume them."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tests.e2e.audit import entries_of
from tests.e2e.support import Backend, Client, shown

CHANGES = "/api/v1/changes"
CHANNELS, DELIVERIES = "/api/v1/channels", "/api/v1/deliveries"
CREATED = "sluice.task.created.v1"
_CHANGES, _ITEMS = "500", "100"  # as many as a page may have


@dataclass(frozen=True)
class Effects:
    """The readers of one user's tasks, changes, audit entries and deliveries."""

    backend: Backend
    sync: Client
    audit: Client
    notification: Client

    @staticmethod
    def of(backend: Backend, client: Callable[..., Client]) -> "Effects":
        """The effects of the user of a backend's client."""
        return Effects(backend, client("sync"), client("audit"), client("notification"))

    async def tasks(self) -> list[dict[str, Any]]:
        """The user's open tasks."""
        return await _all_pages(self.backend, "/api/v1/tasks", completed="false")

    async def changes(self, *, after: int = 0) -> list[tuple[int, str, str]]:
        """Sequence, type and task of every change that sync has numbered, after a number."""
        found: list[tuple[int, str, str]] = []
        more = True
        while more:
            page = await self.sync.read(CHANGES, after=str(found[-1][0] if found else after), limit=_CHANGES)
            found += [(one["sequence"], one["event"]["type"], one["event"]["task_id"]) for one in page["items"]]
            more = page["more"]
        return found

    async def entries(self) -> Counter[str]:
        """How many audit entries there are by event id."""
        return Counter(entry["event_id"] for entry in await entries_of(self.audit))

    async def created(self) -> Counter[str]:
        """How many audit entries of a creation there are by task."""
        return Counter(entry["subject"] for entry in await entries_of(self.audit, type=CREATED))

    async def heard_of(self, task: str, *, after: int = 0) -> None:
        """Fail unless all who are to hear of a new task have; `after` is a change that was numbered before it."""
        changed = {one for _, _, one in await self.changes(after=after)}
        assert task in changed, f"sync has no change of {task}"
        assert await entries_of(self.audit, type=CREATED, subject=task), f"audit has no entry of {task}"
        # The newest come first: among those of the last page is what was delivered last.
        newest = await self.notification.read(DELIVERIES, limit=_ITEMS)
        cursor = newest["next_cursor"]
        while task not in {one["task_id"] for one in newest["items"]}:
            assert cursor, f"notification has no delivery of {task}"
            newest = await self.notification.read(DELIVERIES, limit=_ITEMS, cursor=cursor)
            cursor = newest["next_cursor"]

    async def subscribe(self, url: str) -> None:
        """Have the user told of every new task at an address."""
        channel = {"kind": "webhook", "url": url, "events": ["task.created"]}
        shown(await self.notification.request("POST", CHANNELS, json=channel), 201)

    async def deliveries(self) -> Counter[str]:
        """How many deliveries notification has by task, whatever became of them."""
        return Counter(one["task_id"] for one in await _all_pages(self.notification, DELIVERIES))


async def _all_pages(client: Client, path: str, **params: str) -> list[dict[str, Any]]:
    """The items of a list that comes in pages with cursors."""
    found: list[dict[str, Any]] = []
    asked = {**params, "limit": _ITEMS}
    while True:
        page = await client.read(path, **asked)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        asked["cursor"] = page["next_cursor"]


def assert_once(seen: Counter[str], taken: Collection[str], *, where: str) -> None:
    """Fail unless each task that was taken is there once; one that was made without an answer may be, and once too."""
    missing = sorted(set(taken) - seen.keys())
    assert not missing, f"{where} has nothing of {len(missing)} of {len(taken)} tasks, such as {missing[:3]}"
    doubled = {task: count for task, count in seen.items() if count != 1}
    assert not doubled, f"{where} has these more than once: {doubled}"

"""Reading audit's log, page by page."""

from typing import Any

from tests.e2e.support import Client

PATH = "/api/v1/audit"
_PAGE = "200"


async def entries_of(audit: Client, **filters: str) -> list[dict[str, Any]]:
    """Every entry that the client's user may see and that the filters leave, oldest first."""
    found: list[dict[str, Any]] = []
    params = {**filters, "limit": _PAGE}
    while True:
        page = await audit.read(PATH, **params)
        found += page["items"]
        if page["next_before_sequence"] is None:
            return found[::-1]
        params["before_sequence"] = str(page["next_before_sequence"])

"""Reads a user's marked tasks, checks audit's chain, and writes both as JSON. Usage: CONTEXT USER FILE ANCHOR"""

import json
import sys
from pathlib import Path

import anyio
from tests.drill.reach import Reached, reach
from tests.e2e.support import eventually

_PAGE = "100"
_WITHIN_SECONDS = 120.0


async def tasks(reached: Reached, user: str) -> list[tuple[str, str]]:
    """All tasks of the user: id and title."""
    backend = reached.clients.backend(user, lambda _: None)
    found: list[tuple[str, str]] = []
    params = {"limit": _PAGE}
    while True:
        page = await backend.list(**params)
        found += [(str(item["id"]), str(item["title"])) for item in page["items"]]
        if not page.get("next_cursor"):
            return found
        params["cursor"] = str(page["next_cursor"])


async def main(context: Path, user: str, file: Path, anchor: str) -> None:
    """Read once everything answers."""
    async with reach(context) as reached:
        found = await eventually(lambda: tasks(reached, user), within=_WITHIN_SECONDS)
        chain = await eventually(lambda: reached.chain(anchor), within=_WITHIN_SECONDS)
    file.write_text(json.dumps({"tasks": found, "chain": chain}))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4])

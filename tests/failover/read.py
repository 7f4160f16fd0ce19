"""Reads a user's tasks, what audit heard of them, and its chain, as JSON. Usage: CONTEXT USER FILE ANCHOR SECONDS MARKS

Events are on their way for a while: it waits up to SECONDS until audit has heard of every task that is there, of those
that MARKS (a file of tests/failover/write.py) has.
"""

import json
import sys
from pathlib import Path

import anyio
from tests.drill.reach import Reached, reach
from tests.drill.read import tasks
from tests.e2e.audit import entries_of
from tests.e2e.support import eventually

from sluice.files import json_lines

CREATED = "task.created"
_WITHIN_SECONDS = 120.0


async def heard(reached: Reached, user: str) -> set[str]:
    """The ids of the user's tasks whose creation audit wrote down."""
    audit = reached.clients.of("audit", user, lambda _: None)
    return {str(one["subject"]).rpartition("/")[2] for one in await entries_of(audit) if CREATED in str(one["type"])}


async def main(context: Path, user: str, file: Path, anchor: str, seconds: float, marks: Path) -> None:
    """Read once everything answers."""
    written = {str(line["id"]) for line in json_lines(marks) if "id" in line}
    async with reach(context) as reached:
        found = await eventually(lambda: tasks(reached, user), within=_WITHIN_SECONDS)
        there = written & {name for name, _ in found}
        known = await eventually(lambda: heard(reached, user), within=_WITHIN_SECONDS)
        with anyio.move_on_after(seconds):
            while there - known:
                await anyio.sleep(1)
                known = await eventually(lambda: heard(reached, user), within=_WITHIN_SECONDS)
        chain = await eventually(lambda: reached.chain(anchor), within=_WITHIN_SECONDS)
    file.write_text(json.dumps({"tasks": found, "unheard": sorted(there - known), "chain": chain}))


if __name__ == "__main__":
    anyio.run(
        main, Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4], float(sys.argv[5]), Path(sys.argv[6])
    )

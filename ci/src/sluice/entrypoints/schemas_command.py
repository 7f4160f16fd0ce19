"""`sluice schemas`: docs/schemas/ as the dataclasses are now."""

from sluice import schemas as made
from sluice.entrypoints.console import finish, out, root


def schemas() -> None:
    """Write the JSON Schemas of evidence.json and verdict.json anew, from what Sluice itself writes and reads."""

    async def work() -> int:
        changed = made.write(root())
        for path in changed:
            out.print(str(path), highlight=False)
        out.print(f"{len(changed)} files changed", highlight=False)
        return 0

    finish(work)

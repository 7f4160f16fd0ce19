"""`sluice schemas`: docs/schemas/ as the dataclasses are now."""

from sluice import schemas as made
from sluice.entrypoints.console import answer, finish, root, say, show


def schemas() -> None:
    """Write the JSON Schemas of evidence, verdict and readiness anew, from what Sluice itself writes and reads."""

    async def work() -> int:
        changed = made.write(root())
        show(*map(str, changed))
        say(f"{len(changed)} files changed")
        answer(changed=changed)
        return 0

    finish(work)

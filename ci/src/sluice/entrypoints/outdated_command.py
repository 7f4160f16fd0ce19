"""`sluice outdated`: locks → what has a newer version."""

from sluice.entrypoints.console import finish, page, root, settings_of
from sluice.supply.outdated import report


def outdated() -> None:
    """Print as Markdown which Python packages and Go modules of our locks have newer versions.

    pip and go ask the registries that they are set up with, for at most 5 minutes each; nothing is changed. What could
    not be asked is told below the table. Exit status: 0.
    """
    settings = settings_of()

    async def work() -> int:
        page(await report(root(), settings.cache))
        return 0

    finish(work)

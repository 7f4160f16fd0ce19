"""Whether an engine is at hand, and whether we run in one: asked by every command, so without loading its client."""

import os
import shutil

INSIDE = "SLUICE_TOOLBOX"  # set to 1 in the toolbox: there, the runtime dagger means this very session
SESSION = "DAGGER_SESSION_PORT"
RUNNER = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"
_PROGRAM = "_EXPERIMENTAL_DAGGER_CLI_BIN"


def inside() -> bool:
    """Return whether this is the toolbox of an engine, where steps run rather than start another engine."""
    return os.environ.get(INSIDE) == "1"


def reachable() -> bool:
    """Return whether an engine can be had without starting one: a session's, or one that the environment names.

    An engine of one's own is not enough: Dagger would start it in Docker, where the runtime docker is the shorter way.
    """
    return bool(os.environ.get(SESSION)) or bool(
        os.environ.get(RUNNER) and (os.environ.get(_PROGRAM) or shutil.which("dagger"))
    )

"""Whether an engine is at hand, and whether we run in one: asked by every command, so without loading its client."""

import os
import shutil
from importlib import metadata
from pathlib import Path

INSIDE = "SLUICE_TOOLBOX"  # set to 1 in the toolbox: there, the runtime dagger means this very session
SESSION = "DAGGER_SESSION_PORT"
RUNNER = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"
PROGRAM = "_EXPERIMENTAL_DAGGER_CLI_BIN"


def inside() -> bool:
    """Return whether this is the toolbox of an engine, where steps run rather than start another engine."""
    return os.environ.get(INSIDE) == "1"


def reachable() -> bool:
    """Return whether an engine can be had without starting one: a session's, or one that the environment names.

    An engine of one's own is not enough: Dagger would start it in Docker, where the runtime docker is the shorter way.
    """
    return bool(os.environ.get(SESSION)) or bool(os.environ.get(RUNNER) and program())


def program() -> str | None:
    """Return Dagger's command line: what the environment names, else on PATH, else what ./dagger fetched; or None.

    Dagger's client itself looks for the first alone, and downloads another one.
    """
    return os.environ.get(PROGRAM) or shutil.which("dagger") or _fetched()


def _fetched() -> str | None:
    version = metadata.version("dagger-io")
    program = Path(".sluice", f"dagger-{version}", "dagger").absolute()
    return str(program) if program.is_file() else None

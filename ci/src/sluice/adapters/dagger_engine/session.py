"""The engine's session that this process is in, and whether it is in one."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dagger

from sluice.adapters.dagger_engine.toolbox import INSIDE
from sluice.errors import HostError

_SESSION = "DAGGER_SESSION_PORT"
_RUNNER = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"
_PROGRAM = "_EXPERIMENTAL_DAGGER_CLI_BIN"


def inside() -> bool:
    """Return whether this is the toolbox of an engine, where steps run rather than start another engine."""
    return os.environ.get(INSIDE) == "1"


def reachable() -> bool:
    """Return whether an engine can be had without starting one: a session's, or one that the environment names.

    An engine of one's own is not enough: Dagger would start it in Docker, where the runtime docker is the shorter way.
    """
    return bool(os.environ.get(_SESSION)) or bool(
        os.environ.get(_RUNNER) and (os.environ.get(_PROGRAM) or shutil.which("dagger"))
    )


@asynccontextmanager
async def session() -> AsyncIterator[dagger.Client]:
    """Give the session's client; outside of a session one is opened, by Dagger's command line.

    Raises HostError where there is neither, with Dagger's own words.
    """
    if os.environ.get(_SESSION):
        try:
            await dagger.connect()
        except dagger.ClientError as error:
            raise _no_engine(error) from None
        try:
            yield dagger.dag
        finally:
            await dagger.close()
        return
    try:
        connection = dagger.connection()
        await connection.__aenter__()
    except (dagger.ClientError, dagger.ProvisionError, dagger.SessionError) as error:
        raise _no_engine(error) from None
    try:
        yield dagger.dag
    finally:
        await connection.__aexit__(None, None, None)


def _no_engine(error: Exception) -> HostError:
    return HostError(
        "no Dagger engine answers", seen=str(error) or type(error).__name__,
        expected=f"an engine: Docker running, or {_RUNNER} naming one; and its command line, which ./dagger fetches",
        next_command="./dagger core version   or   ./nox -s e2e -- --runtime docker",
    )  # fmt: skip

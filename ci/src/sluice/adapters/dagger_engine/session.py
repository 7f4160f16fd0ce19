"""The engine's session that this process is in, or a new one."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dagger

from sluice.adapters.dagger_engine.presence import PROGRAM, RUNNER, SESSION, program
from sluice.errors import HostError


@asynccontextmanager
async def session() -> AsyncIterator[dagger.Client]:
    """Give the session's client; outside of a session one is opened, by Dagger's command line.

    Raises HostError where there is neither, with Dagger's own words.
    """
    if os.environ.get(SESSION):
        try:
            await dagger.connect()
        except dagger.ClientError as error:
            raise _no_engine(error) from None
        try:
            yield dagger.dag
        finally:
            await dagger.close()
        return
    if found := program():
        os.environ[PROGRAM] = found  # there is no other way to tell it
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
        expected=f"an engine: Docker running, or {RUNNER} naming one; and its command line, which ./dagger fetches",
        next_command="./dagger core version   or   ./nox -s e2e -- --runtime docker",
    )  # fmt: skip

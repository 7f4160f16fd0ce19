"""Telling every replica that a stream grew, at the moment in which the transaction commits, and never otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Text, bindparam, event, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

CHANNEL = "sync_changes"

_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("payload", type_=Text)))

Grown = Callable[[str, int], None]


class Announcer(Protocol):
    """Knows how to make a change known within the transaction that makes it."""

    async def announce(self, session: AsyncSession, owner: str, sequence: int) -> None:
        """Have `owner` and `sequence` announced when the session's transaction commits."""
        ...


class PostgresqlAnnouncer:
    """NOTIFY: the server tells all that LISTEN, once the transaction is committed."""

    async def announce(self, session: AsyncSession, owner: str, sequence: int) -> None:
        """Announce to all replicas."""
        await session.execute(_NOTIFY, {"payload": f"{sequence} {owner}"})


class LocalAnnouncer:
    """Stands in where the database cannot notify (SQLite, in tests): it reaches this process only."""

    def __init__(self, grown: Grown) -> None:
        self._grown = grown

    async def announce(self, session: AsyncSession, owner: str, sequence: int) -> None:
        """Announce to this process."""

        def committed(_session: Session) -> None:
            self._grown(owner, sequence)

        event.listen(session.sync_session, "after_commit", committed, once=True)


def read_announcement(payload: str) -> tuple[str, int] | None:
    """Return the owner and the sequence that a notification's payload holds, or None where it is not one of ours."""
    sequence, _, owner = payload.partition(" ")
    return (owner, int(sequence)) if sequence.isdecimal() and owner else None

"""The owners' streams in the database. Every query names the owner, so no call can reach another user's changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from servicekit.context import trace_id_of
from servicekit.database import Database
from servicekit.events import Event, TaskChanged
from sync.models import Base, Change, Stream

_TRACEPARENT_LENGTH = 55
_OWNERS_AT_ONCE = 500

# Built once: to build them anew for every event costs more than to run them.
_LATEST = (
    select(Change.version, Change.task.is_(None))
    .where(Change.owner == bindparam("owner"), Change.task_id == bindparam("task_id"))
    .order_by(Change.sequence.desc())
    .limit(1)
)
_INSERT = insert(Base.metadata.tables[Change.__tablename__])
_GIVE_BACK = (
    update(Base.metadata.tables[Stream.__tablename__])
    .where(Stream.owner == bindparam("of"))
    .values(last_sequence=Stream.last_sequence - 1)
)
_READ = (
    select(Change)
    .where(Change.owner == bindparam("owner"), Change.sequence > bindparam("after"))
    .order_by(Change.sequence)
    .limit(bindparam("limit"))
)
_LAST = select(Stream.last_sequence).where(Stream.owner == bindparam("owner")).scalar_subquery()
_OLDEST = select(func.min(Change.sequence)).where(Change.owner == bindparam("owner")).scalar_subquery()
_HEAD = select(func.coalesce(_LAST, 0), _OLDEST)


def _next_with(dialect: ModuleType) -> ReturningInsert[int]:
    """Take the next number. The owner's row is locked by it, or made where there is none."""
    made = dialect.insert(Stream).values(owner=bindparam("owner"), last_sequence=1)
    grown = {"last_sequence": Stream.last_sequence + 1}
    taken: ReturningInsert[int] = made.on_conflict_do_update(index_elements=[Stream.owner], set_=grown).returning(
        Stream.last_sequence
    )
    return taken


_NEXT = {"postgresql": _next_with(postgresql), "sqlite": _next_with(sqlite)}


@dataclass(frozen=True)
class Head:
    """A stream's ends: the last sequence given (0 if none), and the oldest that is kept (`last` + 1 if none)."""

    last: int
    oldest: int

    def resumes(self, after: int) -> bool:
        """Say whether everything that came after a sequence is still there, and that sequence was ever given."""
        return self.oldest - 1 <= after <= self.last


async def record(session: AsyncSession, event: Event[TaskChanged]) -> int | None:
    """Number a change in the caller's transaction and return its sequence, or None where the event is stale.

    The owner's row stays locked until the commit: changes of one owner are numbered in the order in which they
    commit, and a transaction that is rolled back leaves no gap.

    Stale is an event of an older version of its task than the stream already has. The broker keeps an owner's events
    in order (they have one key), so this takes a broker, or a publisher, that did not. Each change carries the whole
    task, so nobody misses anything by the older one, while to send it would show the past as the present.
    """
    task = event.data.task
    taken = await session.execute(_NEXT[session.get_bind().dialect.name], {"owner": task.owner})
    sequence = taken.scalar_one()
    deleted = event.data.after is None
    latest = (await session.execute(_LATEST, {"owner": task.owner, "task_id": task.id})).one_or_none()
    # A deletion has the version of what was deleted, and comes after it.
    if latest is not None and (task.version, deleted) < (latest[0], bool(latest[1])):
        await session.execute(_GIVE_BACK, {"of": task.owner})
        return None
    values = {
        "owner": task.owner,
        "sequence": sequence,
        "event_id": event.id,
        "type": event.type,
        "task_id": task.id,
        "version": task.version,
        "task": None if deleted else task.model_dump(mode="json"),
        "time": event.time,
        "recorded_at": datetime.now(UTC),
        "traceparent": event.traceparent[:_TRACEPARENT_LENGTH] if trace_id_of(event.traceparent) else "",
    }
    await session.execute(_INSERT, values)
    return sequence


class Store:
    """Reads of the streams, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self, owner: str) -> Head:
        """Return the ends of an owner's stream."""
        async with self._database.transaction() as session:
            found = (await session.execute(_HEAD, {"owner": owner})).one()
        return Head(found[0], found[0] + 1 if found[1] is None else found[1])

    async def read(self, owner: str, after: int, limit: int) -> Sequence[Change]:
        """Return an owner's changes after a sequence, in order."""
        async with self._database.transaction() as session:
            return (await session.scalars(_READ, {"owner": owner, "after": after, "limit": limit})).all()

    async def last_sequences(self, owners: Sequence[str]) -> dict[str, int]:
        """Return the last sequence of each of the owners that has one."""
        found: dict[str, int] = {}
        for start in range(0, len(owners), _OWNERS_AT_ONCE):
            some = owners[start : start + _OWNERS_AT_ONCE]
            statement = select(Stream.owner, Stream.last_sequence).where(Stream.owner.in_(some))
            async with self._database.transaction() as session:
                found |= {row.owner: row.last_sequence for row in await session.execute(statement)}
        return found

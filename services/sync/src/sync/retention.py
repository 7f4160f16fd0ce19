"""Forgetting changes that are old, or that are many: what is kept of a stream is always its newest part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import structlog
from prometheus_client import Counter
from sqlalchemy import delete, exists, func, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.sql import Select

from servicekit.background import Background
from servicekit.database import Database
from sync.models import Change, Stream

_LOOK_SECONDS = 600.0
_OWNERS_AT_ONCE = 200

_log = structlog.stdlib.get_logger("sync.retention")


class Retention:
    """Keeps the changes of the last `days`, and at most `per_owner` of each owner."""

    def __init__(self, database: Database, *, days: float, per_owner: int, pruned: Counter) -> None:
        self._database = database
        self._kept = timedelta(days=days)
        self._per_owner = per_owner
        self._pruned = pruned

    def background(self) -> Background:
        """The pruning, for the app to run. Replicas may do it at the same time."""

        async def run() -> None:
            while True:
                await self.prune()
                await anyio.sleep(_LOOK_SECONDS)

        return Background("retention", run)

    async def prune(self) -> int:
        """Forget all that need not be kept and return how many changes that were."""
        removed = 0
        for statement in (self._too_old(), self._too_many()):
            while found := await self._some(statement):
                for owner, upto in found:
                    removed += await self._forget(owner, upto)
        if removed:
            _log.info("changes pruned", changes=removed)
        self._pruned.inc(removed)
        return removed

    def _too_old(self) -> Select[str, int]:
        # Up to the newest that is old, so that the oldest part of a stream goes and never one from its middle: clocks
        # of replicas differ a little.
        return (
            select(Change.owner, func.max(Change.sequence))
            .where(Change.recorded_at < datetime.now(UTC) - self._kept)
            .group_by(Change.owner)
        )

    def _too_many(self) -> Select[str, int]:
        upto = Stream.last_sequence - self._per_owner
        return select(Stream.owner, upto).where(exists().where(Change.owner == Stream.owner, Change.sequence <= upto))

    async def _some(self, statement: Select[str, int]) -> list[tuple[str, int]]:
        async with self._database.transaction() as session:
            found = await session.execute(statement.limit(_OWNERS_AT_ONCE))
            return [(owner, upto) for owner, upto in found]

    async def _forget(self, owner: str, upto: int) -> int:
        # Index order: two replicas that prune one stream wait for each other, but never in a circle.
        async with self._database.transaction() as session:
            statement = delete(Change).where(Change.owner == owner, Change.sequence <= upto)
            result = await session.execute(statement)
            assert isinstance(result, CursorResult)
            return result.rowcount

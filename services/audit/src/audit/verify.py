"""Walks the chain and finds its first broken link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import anyio.to_thread
import structlog
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from audit.chain import GENESIS, hash_of, parse_anchor
from audit.metrics import AuditMetrics
from audit.models import Entry, Head
from audit.settings import AuditSettings
from servicekit.background import Background
from servicekit.database import Database, create_engine
from servicekit.metrics import Metrics
from servicekit.problems import Problem

_BATCH = 500
# An anchor is logged again where the chain rests: logs are not kept for ever.
_AGAIN_SECONDS = 3600.0
_BROKEN, _NOT_CHECKED = 1, 2
_log = structlog.stdlib.get_logger("audit.verify")


class Finding(BaseModel):
    """What a check found: `broken_at` is the first sequence that does not hold, with the reason.

    `entries` is how many held before it, `head` is the chain's last entry as `<sequence>:<hash>`: an anchor.
    """

    valid: bool
    entries: int
    head: str
    broken_at: int | None = None
    reason: str | None = None


class _Walk:
    """A walk along the chain: takes its entries in order, and remembers the first thing that is wrong."""

    def __init__(self, head: Head, anchor: str | None) -> None:
        self._head = head
        self._anchor = parse_anchor(anchor) if anchor else (0, GENESIS)
        self._expected, self._previous = 1, GENESIS
        self.broken: Finding | None = None

    def take(self, batch: Sequence[Entry]) -> None:
        """Check the next entries, up to the first that does not hold."""
        for entry in batch:
            if reason := self._wrong(entry):
                self.broken = self._found(self._expected, reason)
                return
            self._expected, self._previous = self._expected + 1, entry.hash

    def end(self) -> Finding:
        """Check what comes after the last entry, and return what was found."""
        if self.broken:
            return self.broken
        sequence, anchor = self._head.sequence, self._anchor
        if self._expected - 1 != sequence:
            return self._found(self._expected, f"the chain ends before its head, {sequence}")
        if self._previous != self._head.hash:
            return self._found(sequence, "the head is not the last entry's hash")
        if anchor[0] > sequence:
            return self._found(self._expected, f"the anchor names entry {anchor[0]}, which is not there")
        return self._found(None, None)

    def _wrong(self, entry: Entry) -> str | None:
        if entry.sequence != self._expected:
            return f"entry {self._expected} is missing: {entry.sequence} comes next"
        if entry.previous_hash != self._previous:
            return "it does not link to the entry before"
        if hash_of(entry) != entry.hash:
            return "its hash is not that of what it says"
        if entry.sequence == self._anchor[0] and entry.hash != self._anchor[1]:
            return "it is not the entry that the anchor names"
        return None

    def _found(self, at: int | None, reason: str | None) -> Finding:
        head = f"{self._head.sequence}:{self._head.hash}"
        return Finding(valid=at is None, entries=self._expected - 1, head=head, broken_at=at, reason=reason)


async def verify(database: Database, anchor: str | None = None) -> Finding:
    """Check every entry up to the head of this moment: numbers without gaps, links, hashes, and the head itself.

    `anchor` is an earlier head, `<sequence>:<hash>`: it also finds a chain that was rewritten whole or cut back
    together with its head. A chain is longer than memory and hashing it takes its time: it is read in
    batches, each in a transaction of its own, and hashed in a thread.
    """
    head = await _head(database)
    walk = _Walk(head, anchor)
    after = -(2**62)
    while walk.broken is None:
        statement = select(Entry).where(Entry.sequence > after, Entry.sequence <= head.sequence)
        async with database.transaction() as session:
            batch = (await session.scalars(statement.order_by(Entry.sequence).limit(_BATCH))).all()
        await anyio.to_thread.run_sync(walk.take, batch)
        if len(batch) < _BATCH:
            break
        after = batch[-1].sequence
    finding = walk.end()
    if finding.valid:
        _log.info("audit chain checked", **finding.model_dump())
    elif "anchor" in (finding.reason or ""):  # the chain by itself holds: the asker knows where the anchor is from
        _log.warning("audit chain is not that of the anchor", **finding.model_dump())
    else:
        _log.error("audit chain is broken", **finding.model_dump())
    return finding


async def _head(database: Database) -> Head:
    async with database.transaction() as session:
        head: Head | None = await session.scalar(select(Head))
    assert head is not None, "the migration made it"
    return head


def anchoring(database: Database, metrics: AuditMetrics, pause_seconds: float) -> Background:
    """Background work that logs the head where it has moved: what was logged elsewhere cannot be rewritten here."""

    async def run() -> None:
        logged, at = "", 0.0
        while True:
            head = await _head(database)
            metrics.length.set(head.sequence)
            anchor, now = f"{head.sequence}:{head.hash}", anyio.current_time()
            if anchor != logged or now - at >= _AGAIN_SECONDS:
                _log.info("audit anchor", anchor=anchor)
                logged, at = anchor, now
            await anyio.sleep(pause_seconds)

    return Background("audit anchor", run)


def checking(database: Database, metrics: AuditMetrics, pause_seconds: float) -> Background:
    """Background work that checks the whole chain, for the metric that the alert looks at.

    The head that held is the next check's anchor: a chain that is cut back or rewritten meanwhile is found, too.
    """
    anchor: str | None = None

    async def run() -> None:
        nonlocal anchor
        while True:
            finding = await verify(database, anchor)
            metrics.checked(finding.valid)
            if finding.valid:
                anchor = finding.head
            await anyio.sleep(pause_seconds)

    return Background("audit check", run)


def verify_command(settings: AuditSettings) -> int:
    """Check the whole chain, and VERIFY_ANCHOR; exit 1 where a link is broken, 2 where it could not be checked."""

    async def check() -> Finding:
        database = Database(create_engine(settings, application="audit-verify", pooled=False), Metrics())
        try:
            return await verify(database, settings.verify_anchor)
        finally:
            await database.close()

    try:
        finding = asyncio.run(check())
    except (Problem, SQLAlchemyError) as error:
        cause = error.__cause__ or error
        _log.error("the chain could not be checked", error=f"{type(cause).__name__}: {cause}"[:500])
        return _NOT_CHECKED
    print(json.dumps(finding.model_dump()))
    return 0 if finding.valid else _BROKEN

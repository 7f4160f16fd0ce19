"""Walks the chain and finds its first broken link."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Annotated

import anyio
import structlog
from pydantic import AfterValidator, BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from audit.chain import GENESIS, hash_of
from audit.metrics import AuditMetrics
from audit.models import Entry, Head
from audit.settings import AuditSettings
from servicekit.background import Background
from servicekit.database import Database, create_engine
from servicekit.metrics import Metrics

_BATCH = 500
_ANCHOR = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_log = structlog.stdlib.get_logger("audit.verify")


def _anchor(given: str) -> str:
    if not _ANCHOR.fullmatch(given):
        raise ValueError("must be <sequence>:<hash>, such as an anchor in the log has it")
    return given


Anchor = Annotated[str, AfterValidator(_anchor)]


class Finding(BaseModel):
    """What a check found: `broken_at` is the first sequence that does not hold, with the reason."""

    valid: bool
    entries: int
    head: str
    broken_at: int | None = None
    reason: str | None = None


async def verify(database: Database, anchor: str | None = None) -> Finding:
    """Check every entry up to the head of this moment: numbers without gaps, links, hashes, and the head itself.

    `anchor` is an earlier head, `<sequence>:<hash>`: it also finds a chain that was rewritten whole or cut back
    together with its head.
    """
    known = _ANCHOR.fullmatch(anchor) if anchor else None
    expected, previous = 1, GENESIS
    async with database.transaction() as session:
        head = await session.scalar(select(Head))
        assert head is not None, "the migration made it"
        shown = f"{head.sequence}:{head.hash}"

        def broken(at: int, reason: str) -> Finding:
            return Finding(valid=False, entries=expected - 1, head=shown, broken_at=at, reason=reason)

        async for entry in _entries(session, head.sequence):
            if entry.sequence != expected:
                return broken(expected, f"entry {expected} is missing: {entry.sequence} comes next")
            if entry.previous_hash != previous:
                return broken(expected, "it does not link to the entry before")
            if hash_of(entry) != entry.hash:
                return broken(expected, "its hash is not that of what it says")
            if known and int(known[1]) == entry.sequence and known[2] != entry.hash:
                return broken(expected, "it is not the entry that the anchor names")
            expected, previous = expected + 1, entry.hash
        if expected - 1 != head.sequence:
            return broken(expected, f"the chain ends before its head, {head.sequence}")
        if previous != head.hash:
            return broken(head.sequence, "the head is not the last entry's hash")
        if known and int(known[1]) > head.sequence:
            return broken(expected, f"the anchor names entry {known[1]}, which is not there")
    return Finding(valid=True, entries=expected - 1, head=shown)


async def _entries(session: AsyncSession, last: int) -> AsyncGenerator[Entry]:
    """Every entry up to a sequence, in order, in batches: a chain is longer than memory."""
    after = -(2**62)
    while True:
        statement = select(Entry).where(Entry.sequence > after, Entry.sequence <= last)
        batch = (await session.scalars(statement.order_by(Entry.sequence).limit(_BATCH))).all()
        for entry in batch:
            yield entry
        if len(batch) < _BATCH:
            return
        after = batch[-1].sequence
        session.expunge_all()


def anchoring(database: Database, metrics: AuditMetrics, pause_seconds: float) -> Background:
    """Background work that logs the head where it has moved: what was logged elsewhere cannot be rewritten here."""

    async def run() -> None:
        logged = ""
        while True:
            async with database.transaction() as session:
                head = await session.scalar(select(Head))
            assert head is not None, "the migration made it"
            metrics.length.set(head.sequence)
            if (anchor := f"{head.sequence}:{head.hash}") != logged:
                _log.info("audit anchor", anchor=anchor)
                logged = anchor
            await anyio.sleep(pause_seconds)

    return Background("audit anchor", run)


def verify_command(settings: AuditSettings) -> int:
    """Check the whole chain, print what was found, and exit 1 where a link is broken."""

    async def check() -> Finding:
        database = Database(create_engine(settings, application="audit-verify", pooled=False), Metrics())
        try:
            return await verify(database)
        finally:
            await database.close()

    finding = asyncio.run(check())
    print(json.dumps(finding.model_dump()))
    return 0 if finding.valid else 1

"""The routes under /api/v1/audit."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Self

import anyio
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Select, select

from audit.chain import Anchor
from audit.models import Entry
from audit.verify import Finding, verify
from servicekit.database import Database
from servicekit.identity import CurrentIdentity, Identity
from servicekit.problems import Problem

PREFIX = "/api/v1/audit"
AUDITOR = "auditor"


class AuditQuery(BaseModel):
    """The query string. `before_sequence` goes on where a page ended; `owner` is for auditors."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    owner: str | None = Field(default=None, max_length=64)
    type: str | None = Field(default=None, max_length=64)
    subject: str | None = Field(default=None, max_length=200)
    trace_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    since: AwareDatetime | None = Field(default=None, alias="from", description="recorded then or later")
    until: AwareDatetime | None = Field(default=None, description="recorded before")
    before_sequence: int | None = Field(default=None, ge=1)
    limit: int = Field(default=50, ge=1, le=200)


class EntryView(BaseModel):
    """One entry, as it was written down."""

    model_config = ConfigDict(from_attributes=True)

    sequence: int
    event_id: str
    type: str
    source: str
    subject: str
    owner: str
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    trace_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    data: dict[str, Any] | None
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Build the view of a stored entry."""
        return cls.model_validate(entry)


class EntryPage(BaseModel):
    """One page, the newest entry first; `next_before_sequence` is null on the last one."""

    items: list[EntryView]
    next_before_sequence: int | None


def audit_router(database: Database) -> APIRouter:
    """Build the router: users see what is about their own tasks, auditors see everything."""
    router = APIRouter(prefix=PREFIX, tags=["audit"])
    checking = anyio.Lock()

    @router.get("")
    async def list_entries(identity: CurrentIdentity, query: Annotated[AuditQuery, Query()]) -> EntryPage:
        async with database.transaction() as session:
            found = (await session.scalars(_page(_owner(identity, query), query))).all()
        page = found[: query.limit]
        more = page[-1].sequence if len(found) > query.limit else None
        return EntryPage(items=[EntryView.of(entry) for entry in page], next_before_sequence=more)

    @router.get("/verify")
    async def verify_chain(identity: CurrentIdentity, anchor: Annotated[Anchor | None, Query()] = None) -> Finding:
        if AUDITOR not in identity.roles:
            raise _forbidden("Only an auditor checks the chain.")
        async with checking:  # each takes a core while it lasts
            return await verify(database, anchor)

    return router


def _owner(identity: Identity, query: AuditQuery) -> str | None:
    """Whose entries are asked for: None means everybody's."""
    if AUDITOR in identity.roles:
        return query.owner
    if query.owner not in (None, identity.user):
        raise _forbidden("Only an auditor sees what is about other users' tasks.")
    return identity.user


def _page(owner: str | None, query: AuditQuery) -> Select[Entry]:
    """Build the select of one page and one more, which tells whether there is a next."""
    statement = select(Entry)
    if owner is not None:
        statement = statement.where(Entry.owner == owner)
    for column, value in ((Entry.type, query.type), (Entry.subject, query.subject), (Entry.trace_id, query.trace_id)):
        if value is not None:
            statement = statement.where(column == value)
    if query.since is not None:
        statement = statement.where(Entry.recorded_at >= query.since)
    if query.until is not None:
        statement = statement.where(Entry.recorded_at < query.until)
    if query.before_sequence is not None:
        statement = statement.where(Entry.sequence < query.before_sequence)
    return statement.order_by(Entry.sequence.desc()).limit(query.limit + 1)


def _forbidden(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, detail, kind="role-missing")

"""`GET /api/v1/changes`: the same changes over plain HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from servicekit.identity import CurrentUser
from servicekit.problems import Problem
from sync.messages import ChangeEvent, ChangePage, ChangeView
from sync.store import Store

_LONGEST_PAGE = 500
_LAST_SEQUENCE = 10**18 - 1


def changes_router(store: Store) -> APIRouter:
    """Build the router."""
    router = APIRouter(prefix="/api/v1/changes", tags=["changes"])

    @router.get("", responses={HTTPStatus.GONE: {"description": "The resume point is not kept, or was never given."}})
    async def list_changes(
        user: CurrentUser,
        after: Annotated[int | None, Query(ge=0, le=_LAST_SEQUENCE, description="the last sequence seen")] = None,
        limit: Annotated[int, Query(ge=1, le=_LONGEST_PAGE)] = 100,
    ) -> ChangePage:
        """List what came after a sequence; without one, only tell the last: the point to go on from."""
        head = await store.head(user)
        if after is None:
            return ChangePage(items=[], sequence=head.last, more=False)
        if not head.resumes(after):
            detail = f"Nothing can follow {after}: kept are {head.oldest} to {head.last}. Fetch everything anew."
            raise Problem(HTTPStatus.GONE, detail, kind="resume-point-gone", sequence=head.last)
        changes = await store.read(user, after, limit)
        items = [ChangeView(sequence=one.sequence, event=ChangeEvent.of(one)) for one in changes]
        sequence = changes[-1].sequence if changes else after
        return ChangePage(items=items, sequence=sequence, more=sequence < head.last)

    return router

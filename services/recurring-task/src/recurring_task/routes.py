"""`GET /api/v1/reminders`: what a user will be reminded of."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, select, tuple_

from recurring_task.models import Reminder, TrackedTask
from servicekit.database import Database
from servicekit.identity import CurrentUser
from servicekit.problems import Problem


class ReminderQuery(BaseModel):
    """The query string: the page's size, and the cursor that the page before gave."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=200)


class ReminderView(BaseModel):
    """A pending reminder as the task's owner sees it."""

    id: uuid.UUID
    task_id: uuid.UUID
    title: str
    due_at: datetime
    remind_at: datetime
    minutes_before: int


class ReminderPage(BaseModel):
    """One page, the soonest first; `next_cursor` is null on the last one."""

    items: list[ReminderView]
    next_cursor: str | None


def reminder_router(database: Database) -> APIRouter:
    """Build the router of the one route."""
    router = APIRouter(prefix="/api/v1/reminders", tags=["reminders"])

    @router.get("")
    async def list_reminders(user: CurrentUser, query: Annotated[ReminderQuery, Query()]) -> ReminderPage:
        async with database.transaction() as session:
            found = (await session.execute(_page(user, query))).all()
        page = found[: query.limit]
        views = [
            ReminderView(
                id=reminder.id,
                task_id=reminder.task_id,
                title=title,
                due_at=reminder.due_at,
                remind_at=reminder.remind_at,
                minutes_before=reminder.minutes_before,
            )
            for reminder, title in page
        ]
        return ReminderPage(items=views, next_cursor=_encode(page[-1][0]) if len(found) > query.limit else None)

    return router


def _page(owner: str, query: ReminderQuery) -> Select[Reminder, str]:
    """Build the select of one page and one more, which tells whether there is a next."""
    statement = (
        select(Reminder, TrackedTask.title)
        .join(TrackedTask, TrackedTask.task_id == Reminder.task_id)
        .where(Reminder.owner == owner, Reminder.done_at.is_(None))
    )
    if query.cursor is not None:
        last = _decode(query.cursor)
        statement = statement.where(tuple_(Reminder.remind_at, Reminder.id) > last)
    return statement.order_by(Reminder.remind_at, Reminder.id).limit(query.limit + 1)


def _encode(last: Reminder) -> str:
    content = f"{last.remind_at.isoformat()} {last.id}"
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, uuid.UUID]:
    """Return the position of a cursor, or answer 422: anybody can make one up."""
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        moment, _, last = content.partition(" ")
        position = datetime.fromisoformat(moment), uuid.UUID(last)
        if position[0].tzinfo is None:
            raise ValueError("an instant has a zone")
    except ValueError as error:
        told = "The cursor is not one that this service gave"
        errors = [{"in": "query", "pointer": "#/cursor", "code": "cursor_invalid", "detail": told}]
        detail = "The request holds values that are not acceptable; see errors."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind="validation-failed", errors=errors) from error
    return position

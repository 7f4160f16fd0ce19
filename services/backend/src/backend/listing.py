"""Filter, sort and pages of the list; pages go by keyset, so what is inserted meanwhile shifts nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic import StringConstraints as Bounds
from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from backend.models import Priority, Task, TaskTag
from backend.schemas import MAX_TAGS, Instant, Tag, Text
from servicekit.problems import Problem

Sort = Literal["created_at", "-created_at", "due_at", "-due_at", "priority", "-priority", "title", "-title"]


class TaskQuery(BaseModel):
    """The query string of the list. Unknown names are refused: a filter with a typo would show everything."""

    model_config = ConfigDict(extra="forbid")

    completed: bool | None = None
    priority: list[Priority] = Field(default=[], max_length=len(Priority), description="any of these")
    tag: list[Tag] = Field(default=[], max_length=MAX_TAGS, description="all of these")
    due_before: Instant | None = None
    due_after: Instant | None = None
    q: Annotated[Text, Bounds(strip_whitespace=True, min_length=1, max_length=200)] | None = None
    sort: Sort = "-created_at"
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=2000)

    def fingerprint(self) -> str:
        """Name the query apart from its page, so that a cursor of one is refused by another."""
        content = self.model_dump_json(exclude={"limit", "cursor"})
        return hashlib.sha256(content.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Position:
    """The last task of a page: its value in the sorted column, and its id as the tie-breaker."""

    value: Any
    task_id: uuid.UUID


def page_statement(owner: str, query: TaskQuery) -> Select[Task]:
    """Build the select of one page, with one task more than asked for: it tells whether there is a next."""
    column, descending = _order(query.sort)
    statement = select(Task).where(Task.owner == owner, *_filters(query))
    if query.cursor is not None:
        statement = statement.where(_beyond(column, descending, decode_cursor(query)))
    directed = column.desc() if descending else column.asc()
    tie_breaker = Task.id.desc() if descending else Task.id.asc()
    return statement.order_by(directed.nulls_last(), tie_breaker).limit(query.limit + 1)


def encode_cursor(query: TaskQuery, last: Task) -> str:
    """Return the opaque cursor of the page after `last`."""
    value = getattr(last, query.sort.removeprefix("-"))
    if isinstance(value, datetime):
        value = value.isoformat()
    content = json.dumps([query.fingerprint(), value, last.id.hex], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode_cursor(query: TaskQuery) -> Position:
    """Return the position of the query's cursor, or answer 422 when it is none of ours for this query."""
    cursor = query.cursor or ""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        fingerprint, value, task_id = json.loads(raw)
        position = Position(_typed(query.sort.removeprefix("-"), value), uuid.UUID(hex=task_id))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _bad_cursor("is not one that this service gave") from error
    if fingerprint != query.fingerprint():
        raise _bad_cursor("belongs to a query with other filters or another sort")
    return position


def _order(sort: str) -> tuple[InstrumentedAttribute[Any], bool]:
    return getattr(Task, sort.removeprefix("-")), sort.startswith("-")


def _filters(query: TaskQuery) -> list[ColumnElement[bool]]:
    filters: list[ColumnElement[bool]] = []
    if query.completed is not None:
        filters.append(Task.completed_at.is_not(None) if query.completed else Task.completed_at.is_(None))
    if query.priority:
        filters.append(Task.priority.in_(query.priority))
    filters.extend(Task.labels.any(TaskTag.tag == tag) for tag in query.tag)
    if query.due_before is not None:
        filters.append(Task.due_at < query.due_before)
    if query.due_after is not None:
        filters.append(Task.due_at > query.due_after)
    if query.q:
        filters.append(
            or_(
                Task.title.icontains(query.q, autoescape=True),
                Task.description.icontains(query.q, autoescape=True),
            )
        )
    return filters


def _beyond(column: InstrumentedAttribute[Any], descending: bool, last: Position) -> ColumnElement[bool]:
    """Say "after the last one" in the order of page_statement: empty values last, whichever the direction."""
    same_value_later = Task.id < last.task_id if descending else Task.id > last.task_id
    if last.value is None:
        return and_(column.is_(None), same_value_later)
    further = column < last.value if descending else column > last.value
    beyond = or_(further, and_(column == last.value, same_value_later))
    return or_(beyond, column.is_(None)) if column is Task.due_at else beyond


def _typed(field: str, value: object) -> object:
    """Check a cursor's value as strictly as a request's: anybody can make one up."""
    if field == "due_at" and value is None:
        return None
    if not isinstance(value, str):
        raise TypeError("a cursor holds text")
    if field == "priority":
        return Priority(value)
    if field == "title":
        value.encode()  # refuses half a surrogate pair
        if "\x00" in value:
            raise ValueError("a title holds no NUL")
        return value
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("an instant has a zone")
    return instant


def _bad_cursor(reason: str) -> Problem:
    error = {"in": "query", "pointer": "#/cursor", "code": "cursor_invalid", "detail": f"The cursor {reason}"}
    detail = "The request holds values that are not acceptable; see errors."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind="validation-failed", errors=[error])

"""What comes in and goes out as JSON, with the bounds of every value."""

from __future__ import annotations

import re
import unicodedata
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic import StringConstraints as Bounds

from backend.models import Priority, Task
from servicekit.recurrence import check_rule, zone_of

MAX_TAGS = 20
MAX_REMINDERS = 5
LONGEST_REMINDER_MINUTES = 525_600  # a year
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")


def _no_nul(value: str) -> str:
    # PostgreSQL's text cannot hold it, and refuses with an error that would look like ours.
    if "\x00" in value:
        raise ValueError("must not hold the NUL character")
    return value


def _one_line(value: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in value):
        raise ValueError("must not hold control characters or line breaks")
    return value


def _written_out(value: object) -> object:
    # Numbers would be taken for seconds since 1970: a mistake more often than an intention.
    if not (isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.match(value))):
        raise ValueError("must be an RFC 3339 date and time, such as 2030-01-31T09:00:00Z")
    return value


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


def _normal_tag(value: object) -> object:
    """NFC, lower case, single spaces: what looks the same is the same tag."""
    if not isinstance(value, str):
        return value
    return " ".join(unicodedata.normalize("NFC", _one_line(value)).casefold().split())


def _unique(tags: list[str]) -> list[str]:
    return sorted(set(tags))


def _unique_minutes(minutes: list[int]) -> list[int]:
    return sorted(set(minutes))


def _rule(value: str) -> str:
    check_rule(value)
    return value


def _zone(value: str) -> str:
    zone_of(value)
    return value


Text = Annotated[str, AfterValidator(_no_nul)]
Title = Annotated[str, Bounds(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)]
Description = Annotated[Text, Bounds(max_length=10_000)]
Instant = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_to_utc)]
Tag = Annotated[str, BeforeValidator(_normal_tag), Bounds(min_length=1, max_length=50)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_unique)]
Rule = Annotated[str, AfterValidator(_rule), Field(description="RFC 5545 RRULE without its name, daily or rarer")]
Zone = Annotated[str, AfterValidator(_zone), Field(description="IANA time zone in which the rule is counted")]
Minutes = Annotated[int, Field(strict=True, ge=0, le=LONGEST_REMINDER_MINUTES)]
Reminders = Annotated[
    list[Minutes],
    Field(max_length=MAX_REMINDERS, description="minutes before the due date"),
    AfterValidator(_unique_minutes),
]


class TaskContent(BaseModel):
    """All that a user says about a task: the body of POST and PUT. `series` has the rules between members."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    description: Description = ""
    due_at: Instant | None = None
    priority: Priority = Priority.NORMAL
    tags: Tags = []
    recurrence: Rule | None = None
    timezone: Zone | None = None
    reminders: Reminders = []


class TaskChange(BaseModel):
    """The body of PATCH (a JSON merge patch): what is left out stays, null removes what a task need not have."""

    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    description: Description = ""
    due_at: Instant | None = None
    priority: Priority = Priority.NORMAL
    tags: Tags = []
    recurrence: Rule | None = None
    timezone: Zone | None = None
    reminders: Reminders = []
    completed: bool = False

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("names nothing to change")
        return self

    def given(self) -> dict[str, Any]:
        """Return the members that were in the body; the defaults above are never used."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class TaskView(BaseModel):
    """A task as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    owner: str
    title: str
    description: str
    due_at: datetime | None
    priority: Priority
    tags: list[str]
    completed: bool
    completed_at: datetime | None
    recurrence: str | None
    timezone: str | None
    reminders: list[int]
    series_id: uuid.UUID | None
    series_start: datetime | None
    occurrence: int
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, task: Task) -> Self:
        """Build the view of a stored task."""
        return cls.model_validate(task)


class TaskPage(BaseModel):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[TaskView]
    next_cursor: str | None

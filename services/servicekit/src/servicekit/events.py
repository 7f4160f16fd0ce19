"""The events of the system: CloudEvents 1.0 (JSON format) whose data is one of the versioned models below.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md, with the extensions
`partitionkey` (what Kafka keeps in order) and `traceparent` (distributed tracing). `schemas/` holds each model's
JSON Schema as published; `python3 -m servicekit.event_schemas` writes it anew, and a test compares.

A version is never changed but by adding optional members; anything else is a new version beside it.
Readers ignore members that they do not know.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import from_json

from servicekit.context import current_context, traceparent

PREFIX = "sluice."

UserId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Rule = Annotated[str, Field(description="RFC 5545 RRULE, without its name", examples=["FREQ=WEEKLY;BYDAY=MO"])]
Zone = Annotated[str, Field(description="IANA zone in which the recurrence is counted", examples=["Europe/Berlin"])]
Minutes = Annotated[int, Field(ge=0, le=525_600)]


class EventData(BaseModel):
    """What all data models have in common: immutable, tolerant of members that a later writer adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TaskSnapshot(EventData):
    """A task as it was at one version. `reminders` are minutes before `due_at`."""

    id: uuid.UUID
    owner: UserId
    title: str
    description: str
    due_at: AwareDatetime | None = None
    priority: Literal["low", "normal", "high", "urgent"]
    tags: tuple[str, ...] = ()
    completed_at: AwareDatetime | None = None
    recurrence: Rule | None = None
    timezone: Zone | None = None
    reminders: tuple[Minutes, ...] = ()
    series_id: uuid.UUID | None = None
    series_start: AwareDatetime | None = Field(default=None, description="DTSTART: the first occurrence's due date")
    occurrence: int = Field(default=1, ge=1)
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int = Field(ge=1)


_SIDES = ("before", "after")


class TaskChanged(EventData):
    """Who changed a task, from what to what; `before` is null on creation, `after` on deletion."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"properties": {name: {"type": "object"}}, "required": [name]} for name in _SIDES]}
    )

    actor: UserId
    before: TaskSnapshot | None = None
    after: TaskSnapshot | None = None

    @property
    def task(self) -> TaskSnapshot:
        """The task as it is now or, once deleted, as it was last."""
        found = self.after or self.before
        assert found is not None, "parse_event refuses data with neither"
        return found


class OccurrenceDue(EventData):
    """The next task of a series is to be made; (`series_id`, `occurrence`) is made once.

    The bounds are those of the API: what is due can be made.
    """

    owner: UserId
    series_id: uuid.UUID
    occurrence: int = Field(ge=2)
    previous_task_id: uuid.UUID
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(max_length=10_000)
    due_at: AwareDatetime
    priority: Literal["low", "normal", "high", "urgent"]
    tags: tuple[Annotated[str, Field(min_length=1, max_length=50)], ...] = Field(default=(), max_length=20)
    recurrence: Rule
    timezone: Zone
    series_start: AwareDatetime
    reminders: tuple[Minutes, ...] = Field(default=(), max_length=5)


class ReminderDue(EventData):
    """A task is due in `minutes_before` minutes."""

    reminder_id: uuid.UUID
    owner: UserId
    task_id: uuid.UUID
    title: str
    due_at: AwareDatetime
    remind_at: AwareDatetime
    minutes_before: Minutes


class DeadLetter(EventData):
    """What a consumer gave up: `reason` says why, `event` is what it got, cut where it is long."""

    consumer: str
    topic: str
    reason: str
    attempts: int = Field(ge=1)
    event_id: str
    event_type: str
    event: str


Data = TypeVar("Data", bound=EventData)


@dataclass(frozen=True)
class EventType(Generic[Data]):
    """A type of event in one version: where it goes and what it carries."""

    name: str
    version: int
    topic: str
    model: type[Data]

    @property
    def type(self) -> str:
        """The CloudEvents type, such as `sluice.task.created.v1`."""
        return f"{PREFIX}{self.name}.v{self.version}"

    @property
    def schema(self) -> str:
        """The CloudEvents dataschema."""
        return f"urn:sluice:schema:{self.type}"


TASK_CREATED = EventType("task.created", 1, "tasks", TaskChanged)
TASK_UPDATED = EventType("task.updated", 1, "tasks", TaskChanged)
TASK_COMPLETED = EventType("task.completed", 1, "tasks", TaskChanged)
TASK_REOPENED = EventType("task.reopened", 1, "tasks", TaskChanged)
TASK_DELETED = EventType("task.deleted", 1, "tasks", TaskChanged)
OCCURRENCE_DUE = EventType("occurrence.due", 1, "occurrences", OccurrenceDue)
REMINDER_DUE = EventType("reminder.due", 1, "reminders", ReminderDue)
DEAD_LETTER = EventType("dead-letter", 1, "dead-letters", DeadLetter)

TASK_EVENTS = (TASK_CREATED, TASK_UPDATED, TASK_COMPLETED, TASK_REOPENED, TASK_DELETED)
ALL_EVENTS: tuple[EventType[Any], ...] = (*TASK_EVENTS, OCCURRENCE_DUE, REMINDER_DUE, DEAD_LETTER)
TOPICS = tuple(dict.fromkeys(event_type.topic for event_type in ALL_EVENTS))
_BY_TYPE: dict[str, EventType[Any]] = {event_type.type: event_type for event_type in ALL_EVENTS}


class Event(BaseModel, Generic[Data]):
    """One CloudEvent. `time` is when it happened, `key` is the extension `partitionkey`."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    specversion: Literal["1.0"] = "1.0"
    # Without control characters: ids are stored as text, and PostgreSQL's cannot hold NUL.
    id: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,128}$")
    source: str = Field(min_length=1, max_length=200)
    type: str
    subject: str = Field(default="", max_length=200)
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = ""
    key: str = Field(alias="partitionkey", min_length=1, max_length=64)
    traceparent: str = ""
    data: Data
    _content: bytes | str = PrivateAttr(default="")

    def model_post_init(self, context: Any, /) -> None:
        """Remember the body that the event was read from."""
        self._content = context or ""

    def to_json(self) -> str:
        """Return the event as a structured-mode CloudEvent."""
        return self.model_dump_json(by_alias=True)

    def data_as_written(self) -> dict[str, Any]:
        """Return the data with the members that only a newer version knows, as its writer put it."""
        written: dict[str, Any] = from_json(self._content or self.to_json())["data"]
        return written


class EventError(ValueError):
    """Raised when what arrived is no event that this version knows; its text is safe to log and to keep."""


class UnknownType(EventError):
    """Raised for a type of which no version is known: a newer writer's, which is none of this reader's business."""


def new_event(kind: EventType[Data], data: Data, *, source: str, subject: str, key: str) -> Event[Data]:
    """Return a new event of the current trace; `source` is the service's name."""
    return Event[Data](
        id=str(uuid.uuid4()),
        source=f"/services/{source}",
        type=kind.type,
        subject=subject,
        time=datetime.now(UTC),
        dataschema=kind.schema,
        key=key,
        traceparent=traceparent(current_context()),
        data=data,
    )


def parse_event(content: bytes | str) -> Event[Any]:
    """Return the event that a body holds.

    Raises EventError with every member that is wrong (never its value) or where the type's version is unknown, and
    UnknownType where the type itself is.
    """
    try:
        envelope = _Envelope.model_validate_json(content)
        kind = _BY_TYPE.get(envelope.type)
        if kind is None:
            raise _unknown(envelope.type)
        event: Event[Any] = Event[kind.model].model_validate_json(content, context=content)  # type: ignore[name-defined]
    except ValidationError as error:
        told = [f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors()[:20]]
        raise EventError(f"not a valid event: {'; '.join(told)}") from None
    if isinstance(event.data, TaskChanged) and not (event.data.before or event.data.after):
        raise EventError("not a valid event: data: neither before nor after")
    return event


class _Envelope(BaseModel):
    """As much of a CloudEvent as tells what to do with it."""

    type: str


def _unknown(given: str) -> EventError:
    name, _, version = given.removeprefix(PREFIX).rpartition(".v")
    known = [kind.version for kind in ALL_EVENTS if kind.name == name]
    if given.startswith(PREFIX) and known:
        told = ", ".join(str(number) for number in known)
        return EventError(f"unknown version of {PREFIX}{name}: {version[:20]!r}, known: {told}")
    return UnknownType(f"unknown type {given[:100]!r}")

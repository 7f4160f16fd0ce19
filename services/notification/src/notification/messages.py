"""What is delivered: the body of a webhook, version 1, as ../../README.md documents it.

`type`, `timestamp` and `data` are Standard Webhooks' (https://www.standardwebhooks.com/). The models are apart from
the events' own, so that a new member of an event is not published to the world by accident. A version is never
changed but by adding optional members.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from servicekit.events import REMINDER_DUE, TASK_EVENTS, Event, EventType, ReminderDue, TaskChanged

DELIVERABLE: dict[str, EventType[Any]] = {kind.name: kind for kind in (REMINDER_DUE, *TASK_EVENTS)}


class Part(BaseModel):
    """What all parts have in common: immutable, and only what was given is written."""

    model_config = ConfigDict(frozen=True)


class TaskPart(Part):
    """The task as it was when the event happened; a reminder knows the first three members only."""

    id: uuid.UUID
    title: str
    due_at: datetime | None = None
    description: str = ""
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    tags: tuple[str, ...] = ()
    completed_at: datetime | None = None
    recurrence: str | None = None
    timezone: str | None = None
    version: int = 1


class ReminderPart(Part):
    """The reminder that is due."""

    id: uuid.UUID
    remind_at: datetime
    minutes_before: int


class Content(Part):
    """`actor` is who changed the task; reminders have `reminder` instead."""

    task: TaskPart
    actor: str = ""
    reminder: ReminderPart | None = None


class Message(Part):
    """One notification; `event_id` is the same for all channels that the event goes to."""

    version: Literal[1]
    type: str
    event_id: str
    timestamp: datetime
    data: Content

    def to_json(self) -> str:
        """Return the body that is sent."""
        return self.model_dump_json(exclude_unset=True)


def message_of(event: Event[Any]) -> Message:
    """Return what a subscribed event has to tell. Raises TypeError for an event of which nobody is told."""
    return Message(
        version=1,
        type=_name(event),
        event_id=event.id,
        timestamp=event.time,
        data=_content(event.data),
    )


def _name(event: Event[Any]) -> str:
    return next(name for name, kind in DELIVERABLE.items() if kind.type == event.type)


def _content(data: object) -> Content:
    if isinstance(data, ReminderDue):
        return Content(
            task=TaskPart(id=data.task_id, title=data.title, due_at=data.due_at),
            reminder=ReminderPart(id=data.reminder_id, remind_at=data.remind_at, minutes_before=data.minutes_before),
        )
    if isinstance(data, TaskChanged):
        known = data.task.model_dump(include=set(TaskPart.model_fields))
        return Content(task=TaskPart.model_validate(known), actor=data.actor)
    raise TypeError(f"nobody is told of {type(data).__name__}")

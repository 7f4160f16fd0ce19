"""What clients get: the messages of the WebSocket, and the page of changes over HTTP. JSON, times in RFC 3339."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from servicekit.context import trace_id_of
from sync.models import Change


class ChangeEvent(BaseModel):
    """What happened to a task: `task` is all of it as it is now, or null once it is deleted."""

    type: str = Field(description="the event's type with its version, such as sluice.task.updated.v1")
    task_id: uuid.UUID
    version: int
    task: dict[str, Any] | None
    time: datetime
    trace_id: str = Field(description="W3C trace id of the request that made the change; empty if unknown")

    @classmethod
    def of(cls, change: Change) -> Self:
        """Show what a row tells."""
        return cls(
            type=change.type,
            task_id=change.task_id,
            version=change.version,
            task=change.task,
            time=change.time,
            trace_id=trace_id_of(change.traceparent),
        )


class ChangeView(BaseModel):
    """A numbered change: the numbers of one user's changes follow one another without a gap."""

    sequence: int
    event: ChangeEvent


class ChangeMessage(BaseModel):
    """One change, as a message."""

    type: Literal["change"] = "change"
    sequence: int
    event: ChangeEvent


class Hello(BaseModel):
    """The first message: the changes that follow come after `sequence`."""

    type: Literal["hello"] = "hello"
    sequence: int
    heartbeat_seconds: float


class Heartbeat(BaseModel):
    """Sent when nothing else was for `heartbeat_seconds`; `sequence` is the last change that was sent."""

    type: Literal["heartbeat"] = "heartbeat"
    sequence: int


class ChangePage(BaseModel):
    """Changes in order; ask again after `sequence` while there are `more`."""

    items: list[ChangeView]
    sequence: int = Field(
        description="the last of the items, or what was asked for; the stream's last one without after"
    )
    more: bool

"""What senders are given, and how they say that it failed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Claimed:
    """A delivery under a lease: only the holder of `lease` may say what came of it. `attempt` counts from 1.

    Address and secret are left out of its repr: a webhook's URL may hold a token.
    """

    id: uuid.UUID
    lease: uuid.UUID
    attempt: int
    channel_id: uuid.UUID
    kind: str
    address: str = field(repr=False)
    secret: str | None = field(repr=False)
    owner: str
    event_id: str
    event: str
    task_id: uuid.UUID
    body: str = field(repr=False)
    traceparent: str
    occurred_at: datetime
    last_error: str


class Failed(Exception):
    """Raised when a delivery did not arrive; the text is safe to log, to keep and to show to the owner.

    `permanent`: another attempt would fail alike. `retry_after`: the receiver asked for so many seconds of rest.
    """

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: float = 0) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after


class Sender(Protocol):
    """Knows how to make one attempt on one kind of channel."""

    async def send(self, delivery: Claimed) -> None:
        """Return once the receiver has it. Raises Failed."""
        ...

"""What comes in and goes out as JSON, with the bounds of every value."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Self

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic import StringConstraints as Bounds

from notification.messages import DELIVERABLE
from notification.models import LONGEST_ADDRESS, Channel, ChannelKind, Delivery, DeliveryState
from notification.settings import mail_address
from notification.signatures import key_of
from servicekit.events import REMINDER_DUE


def _webhook_url(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL as error:
        raise ValueError("is not a URL") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must begin with http:// or https:// and name a host")
    if url.userinfo:
        raise ValueError("must hold no user name or password: they would be shown again; use the secret")
    if url.port == 0:
        raise ValueError("must not have port 0")
    written = str(url.copy_with(fragment=None))
    if len(written) > LONGEST_ADDRESS:
        raise ValueError(f"must have at most {LONGEST_ADDRESS} characters, escapes included")
    return written


def _signing_secret(value: SecretStr) -> SecretStr:
    key_of(value.get_secret_value())
    return value


def _deliverable(value: str) -> str:
    if value not in DELIVERABLE:
        raise ValueError(f"must be one of {', '.join(DELIVERABLE)}")
    return value


def _unique(values: list[str]) -> list[str]:
    return sorted(set(values))


WebhookUrl = Annotated[str, Bounds(max_length=LONGEST_ADDRESS), AfterValidator(_webhook_url)]
MailAddress = Annotated[str, Bounds(max_length=254), AfterValidator(mail_address)]
Secret = Annotated[SecretStr, Field(max_length=128), AfterValidator(_signing_secret)]
EventName = Annotated[str, AfterValidator(_deliverable)]


class ChannelContent(BaseModel):
    """The body of POST: a webhook has `url` and may have `secret`, an e-mail channel has `address`."""

    model_config = ConfigDict(extra="forbid")

    kind: ChannelKind
    url: WebhookUrl | None = None
    secret: Secret | None = None
    address: MailAddress | None = None
    events: Annotated[list[EventName], Field(min_length=1, max_length=50), AfterValidator(_unique)] = [
        REMINDER_DUE.name
    ]

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        webhook = self.kind is ChannelKind.WEBHOOK
        if webhook and (self.url is None or self.address is not None):
            raise ValueError("a webhook channel has a url, and no address")
        if not webhook and (self.address is None or self.url is not None or self.secret is not None):
            raise ValueError("an email channel has an address, and neither url nor secret")
        return self


class ChannelView(BaseModel):
    """A channel as its owner sees it; of the secret only whether there is one."""

    id: uuid.UUID
    kind: ChannelKind
    url: str | None
    address: str | None
    signed: bool
    events: list[str]
    created_at: datetime

    @classmethod
    def of(cls, channel: Channel) -> Self:
        """Build the view of a stored channel."""
        webhook = channel.kind == ChannelKind.WEBHOOK
        return cls(
            id=channel.id,
            kind=ChannelKind(channel.kind),
            url=channel.address if webhook else None,
            address=None if webhook else channel.address,
            signed=channel.secret is not None,
            events=channel.events,
            created_at=channel.created_at,
        )


class ChannelList(BaseModel):
    """All channels of a user, oldest first: there are so few that they need no pages."""

    items: list[ChannelView]


class DeliveryView(BaseModel):
    """A delivery as its owner sees it; `next_attempt_at` is null once it is delivered or dead."""

    id: uuid.UUID
    channel_id: uuid.UUID
    event: str
    event_id: str
    task_id: uuid.UUID
    state: DeliveryState
    attempts: int
    last_error: str
    next_attempt_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Build the view of a stored delivery."""
        pending = delivery.state == DeliveryState.PENDING
        return cls(
            id=delivery.id,
            channel_id=delivery.channel_id,
            event=delivery.event,
            event_id=delivery.event_id,
            task_id=delivery.task_id,
            state=DeliveryState(delivery.state),
            attempts=delivery.attempts,
            last_error=delivery.last_error,
            next_attempt_at=delivery.next_attempt_at if pending else None,
            created_at=delivery.created_at,
            delivered_at=delivery.delivered_at,
        )


class DeliveryPage(BaseModel):
    """One page of a list, newest first; `next_cursor` is null on the last one."""

    items: list[DeliveryView]
    next_cursor: str | None

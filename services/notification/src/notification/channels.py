"""Channels in the database. Every query names the owner, so no call can reach another user's channel."""

from __future__ import annotations

import uuid
from http import HTTPStatus

import httpx
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from notification.addresses import AddressPolicy, AddressRefused
from notification.clock import Clock
from notification.models import Channel, ChannelKind, Delivery
from notification.schemas import ChannelContent
from notification.settings import NotificationSettings
from servicekit.database import Database
from servicekit.problems import Problem

_PORTS = {"http": 80, "https": 443}


class ChannelStore:
    """Create, read, list and delete; each call is one transaction."""

    def __init__(self, settings: NotificationSettings, database: Database, policy: AddressPolicy, clock: Clock) -> None:
        self._most = settings.max_channels_per_user
        self._mails = bool(settings.smtp_host)
        self._database = database
        self._policy = policy
        self._clock = clock

    async def create(self, owner: str, content: ChannelContent) -> Channel:
        """Store a new channel, or answer 422 where it could never deliver and 409 where there are too many."""
        self._check(content)
        channel = Channel(
            id=uuid.uuid4(),
            owner=owner,
            kind=content.kind,
            address=content.url or content.address,
            secret=content.secret.get_secret_value() if content.secret else None,
            events=content.events,
            created_at=self._clock(),
        )
        async with self._database.transaction() as session:
            await _alone(session, owner)
            there = await session.scalar(select(func.count()).where(Channel.owner == owner))
            if (there or 0) >= self._most:
                detail = f"There are {there} channels, and {self._most} are the most that a user may have; delete one."
                raise Problem(HTTPStatus.CONFLICT, detail, kind="too-many-channels")
            session.add(channel)
        return channel

    async def all(self, owner: str) -> list[Channel]:
        """Return the owner's channels, oldest first."""
        async with self._database.transaction() as session:
            statement = select(Channel).where(Channel.owner == owner).order_by(Channel.created_at, Channel.id)
            return list((await session.scalars(statement)).all())

    async def get(self, owner: str, channel_id: uuid.UUID) -> Channel:
        """Return one of the owner's channels, or answer 404."""
        async with self._database.transaction() as session:
            return await _find(session, owner, channel_id)

    async def delete(self, owner: str, channel_id: uuid.UUID) -> None:
        """Delete one of the owner's channels and its deliveries, those that wait included."""
        async with self._database.transaction() as session:
            channel = await _find(session, owner, channel_id)
            await session.execute(delete(Delivery).where(Delivery.channel_id == channel.id))
            await session.delete(channel)

    def _check(self, content: ChannelContent) -> None:
        if content.kind is ChannelKind.EMAIL and not self._mails:
            detail = "This installation has no mail server, so there are no e-mail channels."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind="email-unavailable")
        if content.url is not None:
            url = httpx.URL(content.url)
            try:
                # Names are resolved, and checked, when something is sent: what they mean now says nothing about then.
                self._policy.check_literal(url.host, url.port or _PORTS[url.scheme])
            except AddressRefused as error:
                raise _refused_url(error) from error


async def _alone(session: AsyncSession, owner: str) -> None:
    """Wait until no other transaction makes a channel for this owner, so that two cannot both be the last one."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, 0))"), {"owner": owner})


async def _find(session: AsyncSession, owner: str, channel_id: uuid.UUID) -> Channel:
    channel = await session.scalar(select(Channel).where(Channel.id == channel_id, Channel.owner == owner))
    if channel is None:
        # The same answer for "not there" and "not yours": the difference would tell what exists.
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such channel.", kind="channel-not-found")
    return channel


def _refused_url(cause: AddressRefused) -> Problem:
    error = {
        "in": "body",
        "pointer": "#/url",
        "code": "address_refused",
        "detail": f"Webhooks cannot go there: {cause}",
    }
    detail = "The request holds values that are not acceptable; see errors."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind="validation-failed", errors=[error])

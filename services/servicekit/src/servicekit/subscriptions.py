"""Consuming events that the Dapr sidecar delivers by HTTP, each with exactly one effect.

`GET /dapr/subscribe` tells the sidecar what to deliver, `POST /events/<topic>` takes a delivery and answers
SUCCESS or RETRY (https://docs.dapr.io/reference/api/pubsub_api/#expected-http-response). What can never succeed
(malformed, unknown version, refused again and again) is published to the dead letters with its reason, and
answered SUCCESS, so that it blocks nobody.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

import structlog
from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from servicekit.context import current_context, trace_id_of
from servicekit.dapr import payload_of
from servicekit.database import Database
from servicekit.event_metrics import UNKNOWN_TYPE, Consumed, EventMetrics
from servicekit.events import (
    DEAD_LETTER,
    DeadLetter,
    Event,
    EventError,
    EventType,
    UnknownType,
    new_event,
    parse_event,
)
from servicekit.inbox import first_time
from servicekit.outbox import Outbox
from servicekit.problems import Problem
from servicekit.settings import EventSettings
from servicekit.tables import EventTables

Handler = Callable[[AsyncSession, Event[Any]], Awaitable[None]]
AfterCommit = Callable[[Event[Any]], None]

TOKEN_HEADER = "dapr-api-token"
_SUCCESS: Final = {"status": "SUCCESS"}
_RETRY: Final = {"status": "RETRY"}
_ATTEMPTS = 5
_REMEMBERED = 1_000
_KEPT_TEXT = 32_000

_log = structlog.stdlib.get_logger("servicekit.subscriptions")


class Refused(Exception):
    """Raised by a handler for an event that is well-formed and can never have its effect; the text is the reason."""


class Subscriptions:
    """What a service consumes. A handler works in a transaction that also notes the event as done."""

    def __init__(
        self,
        settings: EventSettings,
        database: Database,
        tables: EventTables,
        outbox: Outbox,
        metrics: EventMetrics,
        service: str,
    ) -> None:
        self._settings = settings
        self._database = database
        self._tables = tables
        self._outbox = outbox
        self._metrics = metrics
        self._service = service
        self._handlers: dict[str, Handler] = {}
        self._topics: dict[str, str] = {}
        self._after: list[AfterCommit] = []
        self._attempts: OrderedDict[str, int] = OrderedDict()

    def on(self, kind: EventType[Any], handler: Handler) -> None:
        """Have `handler` called for every event of a type, once for each event."""
        self._handlers[kind.type] = handler
        self._topics[kind.type] = kind.topic
        self._metrics.expect(kind.type)

    def after_commit(self, call: AfterCommit) -> None:
        """Have `call` called when an event's effect is committed; it must neither wait nor raise."""
        self._after.append(call)

    def router(self) -> APIRouter:
        """The two routes that the sidecar calls."""
        router = APIRouter(include_in_schema=False)
        topics = sorted(set(self._topics.values()))

        @router.get("/dapr/subscribe")
        async def subscribe() -> list[dict[str, object]]:
            name, raw = self._settings.pubsub_name, {"rawPayload": "true"}
            return [
                {"pubsubname": name, "topic": topic, "route": f"/events/{topic}", "metadata": raw} for topic in topics
            ]

        @router.post("/events/{topic}")
        async def deliver(topic: str, request: Request) -> dict[str, str]:
            self._check_token(request)
            if topic not in topics:
                # Not 404, to which the sidecar answers by dropping the event.
                raise Problem(
                    HTTPStatus.MISDIRECTED_REQUEST, "This service consumes no such topic.", kind="no-such-topic"
                )
            return await self.deliver(topic, payload_of(await request.body()))

        return router

    async def deliver(self, topic: str, body: bytes) -> dict[str, str]:
        """Handle one delivery and return the sidecar's answer."""
        started = perf_counter()
        label = UNKNOWN_TYPE
        outcome: Consumed = "retried"
        try:
            if len(body) > self._settings.max_event_bytes:
                raise EventError(f"{len(body)} bytes, more than {self._settings.max_event_bytes}")
            event = parse_event(body)
            label = event.type
            outcome = await self._handle(topic, event, body)
        except UnknownType as error:
            outcome = "ignored"
            _log.warning("event ignored", topic=topic, reason=str(error))
        except EventError as error:
            outcome = await self._bury(topic, _digest(body), label, body, str(error))
        finally:
            self._metrics.consumed.labels(label, outcome).inc()
            self._metrics.handling_seconds.labels(label).observe(perf_counter() - started)
        return _RETRY if outcome == "retried" else _SUCCESS

    async def _handle(self, topic: str, event: Event[Any], body: bytes) -> Consumed:
        context = current_context()
        if context is not None:
            context.trace_id = trace_id_of(event.traceparent) or context.trace_id
            context.user_id = getattr(event.data, "actor", None) or getattr(event.data, "owner", None)
        handler = self._handlers.get(event.type)
        if handler is None:
            return "ignored"
        try:
            async with self._database.transaction() as session:
                if not await first_time(session, self._tables, event.id):
                    _log.info("event seen before", type=event.type, event_id=event.id)
                    return "duplicate"
                await handler(session, event)
        except Refused as error:
            return await self._bury(topic, event.id, event.type, body, str(error))
        except Exception as error:  # noqa: BLE001 - a handler's mistake must not stop the topic
            return await self._failed(topic, event, body, error)
        self._attempts.pop(event.id, None)
        self._outbox.wake()
        for call in self._after:
            call(event)
        delay = (datetime.now(UTC) - event.time).total_seconds()
        self._metrics.delay_seconds.labels(event.type).observe(max(delay, 0))
        _log.info(
            "event handled", type=event.type, event_id=event.id, task_id=event.subject, delay_seconds=round(delay, 6)
        )
        return "done"

    async def _failed(self, topic: str, event: Event[Any], body: bytes, error: Exception) -> Consumed:
        """What a dependency's absence delays is tried until it is back; what fails by itself only so often."""
        told = f"{type(error).__name__}: {error}"[:500]
        if isinstance(error, Problem) and error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            _log.warning("event waits", type=event.type, event_id=event.id, error=told)
            return "retried"
        attempts = self._attempts.pop(event.id, 0) + 1
        _log.error("event failed", type=event.type, event_id=event.id, attempt=attempts, error=told, exc_info=error)
        if attempts >= _ATTEMPTS:
            return await self._bury(topic, event.id, event.type, body, told, attempts)
        self._attempts[event.id] = attempts
        while len(self._attempts) > _REMEMBERED:
            self._attempts.popitem(last=False)
        return "retried"

    async def _bury(
        self, topic: str, event_id: str, event_type: str, body: bytes, reason: str, attempts: int = 1
    ) -> Consumed:
        """Give an event to the dead letters, once; a dead letter of dead letters is only logged."""
        _log.error("event given up", topic=topic, type=event_type, event_id=event_id, reason=reason)
        if topic == DEAD_LETTER.topic:
            return "dead"
        letter = DeadLetter(
            consumer=self._service,
            topic=topic,
            reason=reason[:1000],
            attempts=attempts,
            event_id=event_id,
            event_type=event_type,
            event=body[:_KEPT_TEXT].decode(errors="replace"),
        )
        event = new_event(DEAD_LETTER, letter, source=self._service, subject=event_id, key=self._service)
        try:
            async with self._database.transaction() as session:
                if await first_time(session, self._tables, event_id):
                    await self._outbox.add(session, DEAD_LETTER, event)
        except Problem as error:
            _log.warning("the dead letter waits", event_id=event_id, error=str(error.detail))
            return "retried"
        self._attempts.pop(event_id, None)
        self._outbox.wake()
        return "dead"

    def _check_token(self, request: Request) -> None:
        """Only the sidecar may deliver: whoever else reaches this port could make up events."""
        expected = self._settings.dapr_app_token()
        given = request.headers.get(TOKEN_HEADER, "")
        if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
            raise Problem(HTTPStatus.UNAUTHORIZED, "Only the Dapr sidecar delivers events.", kind="not-the-sidecar")


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"

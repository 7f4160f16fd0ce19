"""What a log line or a problem belongs to: request id, trace id and user id of what is being served."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# W3C Trace Context: later versions may append fields to these four, version ff is forbidden.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


@dataclass
class RequestContext:
    """One request's identifiers. Mutable: the user becomes known only while the request is being served."""

    request_id: str
    trace_id: str
    user_id: str | None = None


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current_context() -> RequestContext | None:
    """Return the identifiers of what is being served, or None outside of it."""
    return _current.get()


@contextmanager
def working_on(trace: str = "", *, user: str | None = None) -> Iterator[RequestContext]:
    """Give work outside of a request (a background task) identifiers of its own; `trace` is a W3C traceparent."""
    context = RequestContext(str(uuid.uuid4()), trace_id_of(trace) or secrets.token_hex(16), user)
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def traceparent(context: RequestContext | None) -> str:
    """Return the W3C traceparent of the current trace with a span id of its own; a new trace where there is none."""
    trace = context.trace_id if context else secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-01"


def trace_id_of(given: str) -> str:
    """Return the trace id of a valid W3C traceparent, else an empty text."""
    match = _TRACEPARENT.fullmatch(given)
    if match is None or (match[1] == "00" and match[4]) or not (int(match[2], 16) and int(match[3], 16)):
        return ""
    return match[2]


def request_id_from(headers: Headers) -> str:
    """Return the caller's request id where it is safe to log and echo, else a fresh one."""
    given = headers.getlist(REQUEST_ID_HEADER)
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return given[0]
    return str(uuid.uuid4())


def trace_id_from(headers: Headers) -> str:
    """Return the trace id of the request's one traceparent, else a fresh one."""
    given = headers.getlist("traceparent")
    return (trace_id_of(given[0]) if len(given) == 1 else "") or secrets.token_hex(16)


class ContextMiddleware:
    """Outermost middleware: sets the context of a request or a WebSocket, and echoes a request's id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = RequestContext(request_id_from(headers), trace_id_from(headers))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = context.request_id
            await send(message)

        token = _current.set(context)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            _current.reset(token)

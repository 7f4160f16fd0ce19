"""What a log line or a problem belongs to: request id, trace id and user id of the current request."""

from __future__ import annotations

import re
import secrets
import uuid
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
    """Return the identifiers of the request being served, or None outside of a request."""
    return _current.get()


def request_id_from(headers: Headers) -> str:
    """Return the caller's request id where it is safe to log and echo, else a fresh one."""
    given = headers.getlist(REQUEST_ID_HEADER)
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return given[0]
    return str(uuid.uuid4())


def trace_id_from(headers: Headers) -> str:
    """Return the trace id of a valid W3C traceparent, else a fresh one."""
    given = headers.getlist("traceparent")
    match = _TRACEPARENT.fullmatch(given[0]) if len(given) == 1 else None
    if match is None or (match[1] == "00" and match[4]) or not (int(match[2], 16) and int(match[3], 16)):
        return secrets.token_hex(16)
    return match[2]


class ContextMiddleware:
    """Outermost middleware: sets the request's context and echoes its request id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
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

"""The request body's size limit, for bodies with a declared length and for chunked ones."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.problems import Problem, problem_response

_KIND = "body-too-large"
# More than the broker takes (1 MiB): a delivery refused for its size would be delivered for ever, so the
# subscriptions themselves give what is too large to the dead letters.
EVENTS_PREFIX = "/events/"
_EVENTS_LIMIT = 2 * 1024 * 1024


class BodyLimitMiddleware:
    """Answers 413 to a body over the limit, before the body is read where its length is declared."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = max(self._limit, _EVENTS_LIMIT) if scope["path"].startswith(EVENTS_PREFIX) else self._limit
        detail = f"The request body is larger than {limit} bytes."
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > limit:
            response = problem_response(scope["path"], HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, kind=_KIND)
            await response(scope, receive, send)
            return
        read = 0

        async def receive_limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                # Raised inside the app's own reading of the body, so the problem handlers answer it.
                raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, kind=_KIND)
            return message

        await self._app(scope, receive_limited, send)

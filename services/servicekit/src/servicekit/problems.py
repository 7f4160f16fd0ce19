"""RFC 9457 problem details: every error that leaves a service has this one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.context import current_context

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:sluice:problem:"
# A hostile body can hold thousands of wrong members; the answer need not repeat them all.
_ERRORS_LISTED = 50
_STEP_LIMIT = 100

_log = structlog.stdlib.get_logger("servicekit.problems")


class Problem(HTTPException):
    """Raised to answer with problem details; `kind` names the problem's type, `members` extend it."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(status, detail, headers)
        self.kind = kind
        self.members = members


def problem_response(
    request_path: str,
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, object] | None = None,
) -> JSONResponse:
    """Build the response; without a kind the type is `about:blank`: the status says it all."""
    context = current_context()
    body: dict[str, object] = {
        "type": _TYPE_PREFIX + kind if kind else "about:blank",
        "title": kind.replace("-", " ").capitalize() if kind else _phrase(status),
        "status": status,
        "detail": detail,
        "instance": request_path,
        "request_id": context.request_id if context else None,
        **(members or {}),
    }
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Make the app answer 404, 405, validation errors and raised Problems with problem details."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", error=_describe(error.__cause__ or error), exc_info=error)
    return problem_response(
        request.url.path,
        error.status_code,
        str(error.detail),
        kind=error.kind if isinstance(error, Problem) else None,
        headers=error.headers,
        members=error.members if isinstance(error, Problem) else None,
    )


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_violation(item) for item in error.errors()[:_ERRORS_LISTED]]
    # A body that is no JSON at all is a malformed message; one with wrong values is well-formed but refused.
    malformed = any(item["code"] == "json_invalid" for item in errors)
    status = HTTPStatus.BAD_REQUEST if malformed else HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "malformed-json" if malformed else "validation-failed"
    detail = "The request holds values that are not acceptable; see errors."
    return problem_response(request.url.path, status, detail, kind=kind, members={"errors": errors})


def _violation(item: Mapping[str, Any]) -> dict[str, str]:
    """Say where a wrong value is (part of the request, JSON pointer) and why; never the value itself."""
    part, *rest = item["loc"] or ("request",)
    code = str(item["type"])
    path: Sequence[object] = () if code == "json_invalid" else rest
    pointer = "#" + "".join("/" + str(step)[:_STEP_LIMIT].replace("~", "~0").replace("/", "~1") for step in path)
    return {"in": str(part), "pointer": pointer, "code": code, "detail": str(item["msg"])}


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1000]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class UnhandledErrorMiddleware:
    """Turns what nobody caught into a 500 that tells the caller nothing and the log everything, once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception as error:
            _log.error("unhandled error", error=_describe(error), exc_info=error)
            if started:
                raise  # the server cuts the connection, so that nobody takes half an answer for a whole one
            response = problem_response(
                scope["path"],
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "The service failed. The log has the cause under this request_id.",
            )
            await response(scope, receive, send)

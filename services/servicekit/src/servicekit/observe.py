"""One access line and two metrics per request, both by route template and never by raw path."""

from __future__ import annotations

from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.metrics import UNMATCHED_ROUTE, Metrics, bounded_method

PROBE_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})

_log = structlog.stdlib.get_logger("servicekit.access")


def route_template(scope: Scope) -> str:
    """Return the matched route's template, such as `/api/v1/tasks/{task_id}`, or `unmatched`.

    FastAPI keeps the template of a route in an included router, prefix and all, in a context of its own;
    `scope["route"]` then holds the template as the router knows it.
    """
    included = scope.get("fastapi", {}).get("effective_route_context")
    template = getattr(included, "path_format", None) or getattr(scope.get("route"), "path_format", None)
    return template if isinstance(template, str) and template else UNMATCHED_ROUTE


class ObserveMiddleware:
    """Counts, times and logs each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # what the server answers when the app is cancelled before it answered

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = perf_counter()
        try:
            await self._app(scope, receive, send_observed)
        finally:
            seconds = perf_counter() - started
            route = route_template(scope)
            method = bounded_method(scope["method"])
            self._metrics.observe_request(method, route, status, seconds)
            # Probes come every few seconds for ever; their lines would bury the others.
            write = _log.debug if route in PROBE_ROUTES else _log.info
            write(
                "request served",
                method=method,
                route=route,
                status=status,
                duration_seconds=round(seconds, 6),
            )

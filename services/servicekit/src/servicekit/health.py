"""Probes and metrics on the service's own port: /healthz, /readyz, /metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import anyio
import structlog
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from servicekit.metrics import Metrics
from servicekit.problems import problem_response

Check = Callable[[], Awaitable[None]]

_OK = "ok"
_log = structlog.stdlib.get_logger("servicekit.health")


class Readiness:
    """Whether the service should get requests: not while it drains, nor while a dependency is away.

    `at_drain` is called when the drain begins, by a service that holds connections open; nothing in it may wait.
    """

    def __init__(self, checks: Mapping[str, Check], timeout_seconds: float) -> None:
        self.draining = False
        self.at_drain: list[Callable[[], None]] = []
        self._checks = dict(checks)
        self._timeout = timeout_seconds
        self._was: dict[str, str] = dict.fromkeys(checks, _OK)

    async def report(self) -> dict[str, str]:
        """Run all checks at once, each with its deadline; return `ok` or the cause by name of dependency."""
        report: dict[str, str] = {}

        async def run(name: str, check: Check) -> None:
            report[name] = await self._outcome(check)

        async with anyio.create_task_group() as group:
            for name, check in self._checks.items():
                group.start_soon(run, name, check)
        self._log_changes(report)
        return {name: report[name] for name in self._checks}

    async def _outcome(self, check: Check) -> str:
        try:
            with anyio.fail_after(self._timeout):
                await check()
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a dependency's client raises means "not ready"
            # The type only: messages of database clients name hosts and users.
            return type(error.__cause__ or error).__name__
        return _OK

    def _log_changes(self, report: Mapping[str, str]) -> None:
        # A probe comes every few seconds: only a change is news.
        for name, outcome in report.items():
            if outcome != self._was.get(name):
                self._was[name] = outcome
                write = _log.info if outcome == _OK else _log.warning
                write("dependency changed", dependency=name, outcome=outcome)


def health_router(readiness: Readiness, metrics: Metrics) -> APIRouter:
    """Build the router of the three probe routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": _OK})

    @router.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        if readiness.draining:
            return _not_ready(request, "The service is shutting down.", {})
        report = await readiness.report()
        failed = [name for name, outcome in report.items() if outcome != _OK]
        if failed:
            return _not_ready(request, f"Failed: {', '.join(failed)}.", report)
        return JSONResponse({"status": "ready", "checks": report})

    @router.get("/metrics")
    async def metrics_text() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return router


def _not_ready(request: Request, detail: str, report: Mapping[str, str]) -> JSONResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    members = {"checks": dict(report)}
    return problem_response(request.url.path, status, detail, kind="not-ready", members=members)

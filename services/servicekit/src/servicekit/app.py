"""The app factory: every service is built here, so that all of them log, count, fail and stop alike."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from servicekit.background import Background, running
from servicekit.context import ContextMiddleware
from servicekit.database import Database
from servicekit.health import Readiness, health_router
from servicekit.identity import TokenVerifier
from servicekit.limits import BodyLimitMiddleware
from servicekit.messaging import Messaging
from servicekit.metrics import Metrics
from servicekit.observe import ObserveMiddleware
from servicekit.problems import UnhandledErrorMiddleware, install_problem_handlers
from servicekit.settings import ServiceSettings, TokenSettings

_log = structlog.stdlib.get_logger("servicekit.app")


@dataclass(frozen=True)
class Service:
    """What the server needs of a built service."""

    app: FastAPI
    readiness: Readiness


def create_app(
    settings: ServiceSettings,
    *,
    metrics: Metrics,
    routers: Sequence[APIRouter],
    database: Database | None = None,
    messaging: Messaging | None = None,
    background: Sequence[Background] = (),
) -> Service:
    """Build a service from its routers; with a database it is ready only while that answers.

    `background`, and what `messaging` brings, runs while the app does.
    """
    works = (*messaging.background, *background) if messaging else tuple(background)
    checks = {"database": database.ping} if database is not None else {}
    readiness = Readiness(checks, settings.readiness_timeout_seconds)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        # The database need not be up: readiness says so, and liveness must not restart us for it.
        try:
            async with running(works):
                yield
        finally:
            if messaging is not None:
                await messaging.publisher.close()
            if database is not None:
                await database.close()
            _log.info("stopped")

    app = FastAPI(
        title=settings.service_name,
        lifespan=lifespan,
        # The pages of the interactive documentation load scripts from elsewhere; the schema stays.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # First is outermost: the context serves the access line, which sees the 500 that the last one makes.
        middleware=[
            Middleware(ContextMiddleware),
            Middleware(ObserveMiddleware, metrics=metrics),
            Middleware(BodyLimitMiddleware, limit=settings.max_body_bytes),
            Middleware(UnhandledErrorMiddleware),
        ],
    )
    if isinstance(settings, TokenSettings):
        app.state.verifier = TokenVerifier(settings)
    install_problem_handlers(app)
    # Routes are tried in order: those that users wait for come first.
    for router in routers:
        app.include_router(router)
    if messaging is not None:
        app.include_router(messaging.subscriptions.router())
    app.include_router(health_router(readiness, metrics))
    return Service(app, readiness)

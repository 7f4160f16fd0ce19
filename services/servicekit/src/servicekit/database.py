"""The engine, transactions that answer a lost database with 503, and the timing of every statement."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from time import perf_counter
from typing import Any

import anyio
from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, ExceptionContext, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection

from servicekit.metrics import Metrics
from servicekit.problems import Problem
from servicekit.settings import DatabaseSettings

_CONNECT_TIMEOUT_SECONDS = 5.0
_IDLE_SECONDS = 0.1
_IDLE_SINCE = "idle_since"
_STARTED = "statement_started"
_UNOBSERVED = "unobserved"
# For statements that come every second for ever: they would hide how fast the queries that matter are.
UNOBSERVED = {_UNOBSERVED: True}


class Database:
    """The pool of a service; one per process."""

    def __init__(self, engine: AsyncEngine, metrics: Metrics) -> None:
        self.engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        _time_statements(engine, metrics)

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a transaction that commits on leaving; the database's own failures become 503 or 409.

        Once begun it goes on to its end, whatever is cancelled meanwhile: background work that is cancelled again and
        again, as anyio does, in the middle of a statement would leave a connection that is never given back.
        """
        return self._session({})

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session for statements that change nothing and need not see the same moment.

        Each is a transaction of its own, which saves the round trips that begin and end one. Failures, and what
        cancels it, are as above.
        """
        return self._session({"isolation_level": "AUTOCOMMIT"})

    @asynccontextmanager
    async def _session(self, options: dict[str, Any]) -> AsyncGenerator[AsyncSession]:
        with anyio.CancelScope(shield=True):
            async with self._sessions() as session:
                try:
                    await session.connection(execution_options=options)
                except Exception as error:
                    # Connecting fails in many types (OSError, TimeoutError, asyncpg's own): all mean the same.
                    raise _unavailable() from error
                try:
                    yield session
                    await session.commit()
                except IntegrityError as error:
                    detail = "The change contradicts another one; read again and retry."
                    raise Problem(HTTPStatus.CONFLICT, detail, kind="conflict") from error
                except (
                    OperationalError,
                    InterfaceError,
                    PoolTimeoutError,
                    TimeoutError,
                    ConnectionError,
                ) as error:
                    raise _unavailable() from error
                except DBAPIError as error:
                    if error.connection_invalidated:
                        raise _unavailable() from error
                    raise

    async def ping(self) -> None:
        """Ask the database for one row; raises when it does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"), execution_options=UNOBSERVED)

    async def close(self) -> None:
        """Close all pooled connections."""
        await self.engine.dispose()


def create_engine(settings: DatabaseSettings, *, application: str, pooled: bool = True) -> AsyncEngine:
    """Build the engine; `pooled=False` gives short-lived connections without a statement timeout."""
    url = database_url(settings)
    # hide_parameters: an error's text goes to the log, its values are the users' own.
    options: dict[str, Any] = {"hide_parameters": True}
    if not pooled:
        options["poolclass"] = NullPool
    if url.get_backend_name() == "postgresql":
        timeout = settings.database_statement_timeout_seconds if pooled else None
        options["connect_args"] = {
            # A callable, so that the password is never in a URL and a rotated one is read anew.
            "password": settings.database_password,
            "ssl": _tls(settings),
            "timeout": _CONNECT_TIMEOUT_SECONDS,
            "command_timeout": timeout,
            "server_settings": {"application_name": application},
        }
        if pooled:
            options |= {
                "pool_size": settings.database_pool_size,
                "max_overflow": settings.database_pool_overflow,
                "pool_timeout": _CONNECT_TIMEOUT_SECONDS,
            }
    engine = create_async_engine(url, **options)
    if pooled and url.get_backend_name() == "postgresql":
        _ping_the_idle(engine)
    return engine


def database_url(settings: DatabaseSettings) -> URL:
    """Return where the database is; there is never a password in it, so it may be logged."""
    if settings.database_url:
        return make_url(settings.database_url)
    return URL.create(
        "postgresql+asyncpg",
        username=settings.database_user,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
    )


def _tls(settings: DatabaseSettings) -> ssl.SSLContext | str:
    if not settings.database_sslmode.startswith("verify-"):
        return settings.database_sslmode
    root = settings.database_ssl_root_file
    context = ssl.create_default_context(cafile=str(root) if root else None)
    context.check_hostname = settings.database_sslmode == "verify-full"
    return context


def once_committed(session: AsyncSession, call: Callable[[], None]) -> None:
    """Have `call` called when the session's transaction commits: what is rolled back and tried again counts once."""
    event.listen(session.sync_session, "after_commit", lambda _session: call(), once=True)


def _unavailable() -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database does not answer; try again later.",
        kind="database-unavailable",
        headers={"Retry-After": "5"},
    )


def _ping_the_idle(engine: AsyncEngine) -> None:
    """Have a connection that lay idle show that it lives before it serves, so that a restart goes unnoticed.

    SQLAlchemy's own `pool_pre_ping` asks before every use: three round trips more for each request under load.
    """

    def returned(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info[_IDLE_SINCE] = perf_counter()

    def taken(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        since = record.info.get(_IDLE_SINCE)
        if since is None or perf_counter() - since < _IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise InvalidatePoolError("the connection is dead, and so are those made before it") from error

    event.listen(engine.sync_engine, "checkin", returned)
    event.listen(engine.sync_engine, "checkout", taken)


def _time_statements(engine: AsyncEngine, metrics: Metrics) -> None:
    def before(
        connection: Connection, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        if not context.execution_options.get(_UNOBSERVED):
            connection.info.setdefault(_STARTED, []).append(perf_counter())

    def after(
        connection: Connection, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        if not context.execution_options.get(_UNOBSERVED):
            finish(connection, statement)

    def failed(context: ExceptionContext) -> None:
        if context.connection is not None and context.statement is not None:
            finish(context.connection, context.statement)

    def finish(connection: Connection, statement: str) -> None:
        started = connection.info.get(_STARTED)
        if started:
            metrics.observe_query(statement, perf_counter() - started.pop())

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    event.listen(engine.sync_engine, "after_cursor_execute", after)
    event.listen(engine.sync_engine, "handle_error", failed)

"""`GET /api/v1/sync`: a WebSocket from its handshake to its end."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from http import HTTPStatus

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from servicekit.context import current_context
from servicekit.identity import Identity
from servicekit.problems import Problem, problem_response
from sync.close_codes import CloseCode, Ended
from sync.connection import Connection, Limits
from sync.handshake import Refused, admit, origin_accepted, resume_point, subprotocol_of
from sync.hub import DRAINING, GONE, PAGE, Hub, message_of
from sync.messages import Hello
from sync.metrics import Outcome, SyncMetrics
from sync.settings import SyncSettings
from sync.store import Store

# Reads of connections that begin: a thousand clients that come at once must leave the pool to the others.
_READS_AT_ONCE = 3

_log = structlog.stdlib.get_logger("sync.sockets")


class Sockets:
    """Serves the WebSockets of this replica."""

    def __init__(self, settings: SyncSettings, hub: Hub, store: Store, metrics: SyncMetrics) -> None:
        self._settings = settings
        self._hub = hub
        self._store = store
        self._metrics = metrics
        self._reading = asyncio.Semaphore(_READS_AT_ONCE)
        self._limits = Limits(
            settings.queue_messages,
            settings.queue_bytes,
            settings.write_timeout_seconds,
            settings.heartbeat_seconds,
        )

    def router(self) -> APIRouter:
        """The one route."""
        router = APIRouter()
        # Starlette's own kind of route: what FastAPI adds to it would be kept with every connection.
        router.add_websocket_route("/api/v1/sync", self.serve)
        return router

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one client until either side closes."""
        if not origin_accepted(websocket, self._settings.allowed_origins):
            await self._forbid(websocket)
            return
        try:
            # Accepted even if refused at once: a browser's page sees a close code, but never an HTTP status.
            await websocket.accept(subprotocol_of(websocket))
            identity = admit(websocket, websocket.app.state.verifier, self._hub, self._settings)
            after = resume_point(websocket)
        except Refused as refused:
            await self._refuse(websocket, refused)
        except (WebSocketDisconnect, OSError):
            self._metrics.attempts.labels("failed").inc()
        else:
            context = current_context()
            if context is not None:
                context.user_id = identity.user
            await self._hold(websocket, identity, after)

    async def _hold(self, websocket: WebSocket, identity: Identity, after: int | None) -> None:
        connection = Connection(websocket, identity.user, self._limits, self._metrics)
        opened = time.monotonic()
        loop = asyncio.get_running_loop()
        valid = identity.expires - time.time()
        expiry = loop.call_later(valid, connection.end, CloseCode.TOKEN, "the token has expired")
        self._hub.add(connection)
        receiving = asyncio.create_task(connection.receive())
        outcome: Outcome = "failed"
        try:
            await self._feed(connection, after)
        except Refused as refused:
            outcome = refused.outcome
            connection.end(refused.code, refused.reason)
        except Ended as ended:
            connection.end(ended.code, ended.reason)
        except Problem as error:
            connection.end(CloseCode.TRY_LATER, str(error.detail))
        except asyncio.CancelledError:
            connection.end(*DRAINING)
            raise
        except Exception:  # noqa: BLE001 - the client is told, and the log has the cause
            _log.exception("connection failed")
            connection.end(CloseCode.INTERNAL_ERROR, "the service failed; connect again")
        finally:
            self._hub.remove(connection)
            expiry.cancel()
            receiving.cancel()
            await connection.close()
            self._tell_the_end(connection, outcome, time.monotonic() - opened)

    async def _feed(self, connection: Connection, after: int | None) -> None:
        """Say hello, send what was missed, then what comes, until the connection ends. Raises Ended."""
        # The connection is in the hub already: whatever commits after this read is heard of.
        async with self._reading:
            head = await self._store.head(connection.owner)
        if after is not None and not head.resumes(after):
            told = GONE if after <= head.last else f"the last sequence is {head.last}; fetch everything anew"
            raise Refused(CloseCode.RESUME_POINT_GONE, told, "resume_refused")
        connection.queued = head.last if after is None else after
        hello = Hello(sequence=connection.queued, heartbeat_seconds=self._settings.heartbeat_seconds)
        await connection.send("hello", hello.model_dump_json())
        connection.accepted = True
        self._metrics.attempts.labels("accepted").inc()
        _log.info("WebSocket connection opened", sequence=connection.queued, missed=head.last - connection.queued)
        while connection.queued < head.last:
            await self._send_missed(connection)
        self._hub.go_live(connection)
        await connection.send_queued()

    async def _send_missed(self, connection: Connection) -> None:
        """Send one page at the client's own speed, past the queue. Raises Ended."""
        async with self._reading:
            changes = await self._store.read(connection.owner, connection.queued, PAGE)
        if not changes or changes[0].sequence != connection.queued + 1:
            raise Ended(CloseCode.RESUME_POINT_GONE, GONE)
        for change in changes:
            await connection.send_change(message_of(change))

    def _tell_the_end(self, connection: Connection, outcome: Outcome, seconds: float) -> None:
        assert connection.ended is not None
        code, reason = connection.ended.code, connection.ended.reason
        self._metrics.closed(code)
        if connection.accepted:
            self._metrics.lifetime_seconds.observe(seconds)
            told = {"sent": connection.sent, "seconds": round(seconds, 3)}
            _log.info("WebSocket connection closed", code=int(code), reason=reason[:200], **told)
        else:
            self._metrics.attempts.labels(outcome).inc()
            _log.info("WebSocket connection refused", code=int(code), reason=reason[:200])

    async def _refuse(self, websocket: WebSocket, refused: Refused) -> None:
        self._metrics.attempts.labels(refused.outcome).inc()
        self._metrics.closed(refused.code)
        _log.info("WebSocket connection refused", code=int(refused.code), reason=refused.reason)
        with suppress(WebSocketDisconnect):  # it may be gone already
            await websocket.close(refused.code, refused.short_reason)

    async def _forbid(self, websocket: WebSocket) -> None:
        """Refuse another site's page before anything is accepted."""
        self._metrics.attempts.labels("forbidden").inc()
        _log.info(
            "WebSocket connection refused", status=int(HTTPStatus.FORBIDDEN), origin=websocket.headers["origin"][:200]
        )
        detail = "Pages of this origin may not connect; ALLOWED_ORIGINS names those that may."
        answer = problem_response(websocket.url.path, HTTPStatus.FORBIDDEN, detail, kind="origin-not-allowed")
        await websocket.send_denial_response(answer)

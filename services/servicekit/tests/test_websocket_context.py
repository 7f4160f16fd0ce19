"""A WebSocket has a context as a request has: ids in its log lines, its user, and the same tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import APIRouter, FastAPI, WebSocket

from servicekit.app import create_app
from servicekit.context import current_context
from servicekit.identity import CurrentUser
from servicekit.metrics import Metrics
from servicekit.settings import ServiceSettings, TokenSettings
from testkit.tokens import Keys

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class ExampleSettings(ServiceSettings, TokenSettings):
    """As a service with users has them."""

    service_name: str = "example"


@pytest.fixture
def app(key_file: Path) -> FastAPI:
    """A service with one WebSocket route, which tells what it knows of its peer."""
    router = APIRouter()

    @router.websocket("/socket")
    async def socket(websocket: WebSocket, user: CurrentUser) -> None:
        context = current_context()
        assert context is not None
        await websocket.accept()
        structlog.stdlib.get_logger("example").info("connected")
        await websocket.send_json([user, context.request_id, context.trace_id])
        await websocket.close()

    return create_app(ExampleSettings(token_keys_file=key_file), metrics=Metrics(), routers=[router]).app


async def connect(app: FastAPI, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Open the WebSocket as a server does, and return what the service sent."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/socket",
        "raw_path": b"/socket",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "subprotocols": [],
        "state": {},
        "extensions": {},
    }
    await app(scope, receive, send)
    return sent


async def test_it_has_ids_and_a_user(app: FastAPI, keys: Keys, lines: Any) -> None:
    headers = keys.headers("ann") | {"X-Request-ID": "r-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    accepted, told, closed = await connect(app, headers)
    assert (accepted["type"], closed["type"]) == ("websocket.accept", "websocket.close")
    assert json.loads(told["text"]) == ["ann", "r-1", TRACE]
    (line,) = [line for line in lines() if line["message"] == "connected"]
    assert (line["user_id"], line["request_id"], line["trace_id"]) == ("ann", "r-1", TRACE)


async def test_without_a_token_it_is_not_opened(app: FastAPI) -> None:
    begun, _ = await connect(app, {})
    assert (begun["type"], begun["status"]) == ("websocket.http.response.start", 401)


async def test_two_have_ids_of_their_own(app: FastAPI, keys: Keys) -> None:
    found = [json.loads((await connect(app, keys.headers(user)))[1]["text"]) for user in ("ann", "bob")]
    (ann, first, trace), (bob, second, other) = found
    assert (ann, bob) == ("ann", "bob")
    assert first != second
    assert trace != other
    assert current_context() is None, "nothing is left of it afterwards"

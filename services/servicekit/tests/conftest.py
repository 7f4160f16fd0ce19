"""A small app built by servicekit, and what its tests look at."""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import APIRouter
from pydantic import BaseModel, Field

from servicekit.app import Service, create_app
from servicekit.identity import CurrentUser
from servicekit.logs import configure_logging
from servicekit.metrics import Metrics
from servicekit.problems import Problem
from servicekit.settings import ServiceSettings

Lines = Callable[[], list[dict[str, Any]]]


class Thing(BaseModel):
    """A body with a nested bound."""

    name: str = Field(max_length=3)
    sizes: list[int] = []


class BrokenError(Exception):
    """What a route raises that nobody catches."""


def example_router() -> APIRouter:
    """Routes that show each behaviour once."""
    router = APIRouter(prefix="/things")

    @router.get("/{thing_id}")
    async def read(thing_id: str) -> dict[str, str]:
        return {"id": thing_id}

    @router.post("")
    async def create(thing: Thing) -> Thing:
        return thing

    @router.get("")
    async def mine(user: CurrentUser) -> dict[str, str]:
        structlog.stdlib.get_logger("example").info("listing", password="hunter2")
        return {"user": user}

    @router.delete("/{thing_id}")
    async def delete(thing_id: str) -> None:
        raise Problem(409, f"{thing_id} is in use", kind="conflict", holders=2)

    @router.put("/{thing_id}")
    async def replace(thing_id: str) -> None:
        raise BrokenError(f"marker-{thing_id}")

    return router


@pytest.fixture
def service() -> Service:
    """The example service."""
    settings = ServiceSettings(service_name="example", max_body_bytes=100)
    nested = APIRouter()
    nested.include_router(example_router(), prefix="/nested")
    return create_app(settings, metrics=Metrics(), routers=[example_router(), nested])


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the example service."""
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://example", trust_env=False) as client:
        yield client


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Configure logging as a service does; call the fixture for the lines written so far."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    written = io.StringIO()
    configure_logging("example", stream=written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers = handlers
    root.setLevel(level)
    sys.excepthook = hook
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Every line on stdout is JSON with the same seven fields first."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import structlog

from testkit.tokens import Keys

Lines = Callable[[], list[dict[str, Any]]]

FIELDS = ["timestamp", "level", "service", "message", "request_id", "user_id", "trace_id"]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.anyio
async def test_a_request_leaves_one_access_line(client: httpx.AsyncClient, lines: Lines, keys: Keys) -> None:
    headers = {
        **keys.headers("ann"),
        "X-Request-ID": "req-1",
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    }
    await client.get("/things?q=private", headers=headers)
    access = [line for line in lines() if line["message"] == "request served"]
    assert len(access) == 1
    line = access[0]
    assert list(line)[:7] == FIELDS
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)
    assert (line["level"], line["service"]) == ("INFO", "example")
    assert (line["request_id"], line["user_id"], line["trace_id"]) == ("req-1", "ann", TRACE)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/things", 200)
    assert 0 <= line["duration_seconds"] < 10
    assert "private" not in str(line)


@pytest.mark.anyio
async def test_an_unhandled_error_leaves_one_error_line(client: httpx.AsyncClient, lines: Lines) -> None:
    await client.put("/things/42", headers={"X-Request-ID": "req-2"})
    errors = [line for line in lines() if line["level"] == "ERROR"]
    assert len(errors) == 1
    assert errors[0]["request_id"] == "req-2"
    assert errors[0]["error"] == "BrokenError: marker-42"
    assert errors[0]["traceback"].startswith("Traceback")
    assert "BrokenError: marker-42" in errors[0]["traceback"]


@pytest.mark.anyio
async def test_probes_are_not_logged(client: httpx.AsyncClient, lines: Lines) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await client.get(path)).status_code == 200
    assert [line for line in lines() if "request served" in line["message"]] == []


@pytest.mark.anyio
async def test_what_looks_like_a_secret_is_masked(client: httpx.AsyncClient, lines: Lines, keys: Keys) -> None:
    await client.get("/things", headers=keys.headers("ann"))
    line = next(line for line in lines() if line["message"] == "listing")
    assert line["password"] == "***"
    assert line["user_id"] == "ann"


def test_lines_of_libraries_have_the_same_shape(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").info("Started %d", 7, extra={"color_message": "x"})
    logging.getLogger("alembic.runtime").warning("careful")
    first, second = lines()
    assert list(first) == FIELDS
    assert (first["message"], first["level"]) == ("Started 7", "INFO")
    assert (first["request_id"], first["user_id"], first["trace_id"]) == (None, None, None)
    assert second["level"] == "WARNING"


def test_an_uncaught_exception_is_a_line(lines: Lines) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        sys.excepthook(*sys.exc_info())
    (line,) = lines()
    assert (line["level"], line["message"]) == ("CRITICAL", "the process died")
    assert "ValueError: boom" in line["traceback"]


def test_a_line_stays_below_what_container_runtimes_cut(lines: Lines) -> None:
    try:
        raise ValueError("x" * 50_000 + "end")
    except ValueError:
        structlog.stdlib.get_logger().exception("y" * 50_000)
    (line,) = lines()
    assert len(str(line)) < 16_000
    assert line["traceback"].endswith("end")

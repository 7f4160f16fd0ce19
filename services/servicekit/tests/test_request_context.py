"""Request ids are echoed only when they are safe; trace ids follow W3C Trace Context."""

from __future__ import annotations

import re
import uuid

import httpx
import pytest
from starlette.datastructures import Headers

from servicekit.context import trace_id_from

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["abc", "A-1_b.c", "x" * 128])
async def test_a_good_request_id_is_echoed(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/things/1", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == given


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\nb", 'a"b', "ä"])
async def test_a_bad_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/things/1", headers=[(b"X-Request-ID", given.encode())])
    assert uuid.UUID(response.headers["X-Request-ID"])


@pytest.mark.anyio
async def test_each_request_without_an_id_gets_its_own(client: httpx.AsyncClient) -> None:
    first, second = [(await client.get("/nowhere")).headers["X-Request-ID"] for _ in range(2)]
    assert first != second


@pytest.mark.parametrize("given", [f"00-{TRACE}-{PARENT}-01", f"01-{TRACE}-{PARENT}-00-later"])
def test_a_valid_traceparent_gives_the_trace_id(given: str) -> None:
    assert trace_id_from(Headers({"traceparent": given})) == TRACE


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
    ],
)
def test_an_invalid_traceparent_is_replaced(given: str) -> None:
    trace_id = trace_id_from(Headers({"traceparent": given}))
    assert trace_id != TRACE
    assert re.fullmatch(r"[0-9a-f]{32}", trace_id)

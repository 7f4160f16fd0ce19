"""Every error has the shape of RFC 9457 and says nothing of the inside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from servicekit.app import Service

pytestmark = pytest.mark.anyio


def problem(response: httpx.Response) -> dict[str, Any]:
    """Check the members that every problem has and return the body."""
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == response.status_code
    assert body["instance"] == response.request.url.path
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]
    return body


async def test_unknown_path_is_a_404_problem(client: httpx.AsyncClient) -> None:
    body = problem(await client.get("/nowhere"))
    assert (body["status"], body["type"], body["title"]) == (404, "about:blank", "Not Found")


async def test_wrong_method_is_a_405_problem_that_says_which_are_allowed(client: httpx.AsyncClient) -> None:
    response = await client.patch("/things/1")
    assert problem(response)["status"] == 405
    assert response.headers["allow"]


async def test_wrong_values_are_listed_with_pointers(client: httpx.AsyncClient) -> None:
    response = await client.post("/things", json={"name": "long", "sizes": [1, "x"]})
    body = problem(response)
    assert (body["status"], body["type"]) == (422, "urn:sluice:problem:validation-failed")
    assert [(error["in"], error["pointer"]) for error in body["errors"]] == [
        ("body", "#/name"),
        ("body", "#/sizes/1"),
    ]
    assert "long" not in [error["detail"] for error in body["errors"]]


async def test_a_body_that_is_no_json_is_a_400_problem(client: httpx.AsyncClient) -> None:
    response = await client.post("/things", content=b"{", headers={"content-type": "application/json"})
    body = problem(response)
    assert (body["status"], body["type"]) == (400, "urn:sluice:problem:malformed-json")
    assert body["errors"][0]["pointer"] == "#"


async def test_a_raised_problem_keeps_its_kind_and_members(client: httpx.AsyncClient) -> None:
    body = problem(await client.delete("/things/7"))
    assert (body["status"], body["type"], body["title"]) == (409, "urn:sluice:problem:conflict", "Conflict")
    assert (body["detail"], body["holders"]) == ("7 is in use", 2)


async def test_an_unhandled_error_tells_the_caller_nothing(client: httpx.AsyncClient) -> None:
    response = await client.put("/things/secret")
    assert problem(response)["status"] == 500
    assert "marker" not in response.text
    assert "Broken" not in response.text


async def test_a_body_over_the_limit_is_a_413_problem(client: httpx.AsyncClient) -> None:
    body = problem(await client.post("/things", json={"name": "x" * 100}))
    assert (body["status"], body["type"]) == (413, "urn:sluice:problem:body-too-large")


async def test_a_chunked_body_over_the_limit_is_a_413_problem(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 50

    response = await client.post("/things", content=chunks(), headers={"content-type": "application/json"})
    assert "content-length" not in response.request.headers
    assert problem(response)["status"] == 413


async def test_a_body_at_the_limit_is_read(client: httpx.AsyncClient) -> None:
    content = b'{"name": "abc"}'.ljust(100)
    response = await client.post("/things", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 200


async def test_an_error_after_the_response_began_reaches_the_server(service: Service) -> None:
    from fastapi.responses import StreamingResponse

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("late")

    @service.app.get("/half")
    async def answer() -> StreamingResponse:
        return StreamingResponse(half())

    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://example", trust_env=False) as client:
        with pytest.raises(ValueError, match="late"):
            await client.get("/half")

"""Filters, order and pages of the list."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

TASKS = "/api/v1/tasks"

EXAMPLES: list[dict[str, Any]] = [
    {"title": "alpha", "priority": "low", "tags": ["home"], "due_at": "2030-01-01T00:00:00Z"},
    {"title": "bravo", "priority": "urgent", "tags": ["home", "work"], "due_at": "2030-01-03T00:00:00Z"},
    {"title": "charlie", "priority": "normal", "tags": ["work"]},
    {"title": "delta 100%", "priority": "high", "description": "Needle in hay"},
    {"title": "echo_1", "priority": "normal", "due_at": "2030-01-02T00:00:00Z"},
]


@pytest.fixture
async def examples(client: httpx.AsyncClient, bob: dict[str, str]) -> None:
    """Store the examples, the second one completed, and one task of another user."""
    for content in EXAMPLES:
        response = await client.post(TASKS, json=content)
        assert response.status_code == 201
    bravo = (await client.get(TASKS, params={"q": "bravo"})).json()["items"][0]
    await client.post(f"{TASKS}/{bravo['id']}/complete")
    await client.post(TASKS, json={"title": "alpha of bob", "tags": ["home"]}, headers=bob)


async def titles(client: httpx.AsyncClient, **query: Any) -> list[str]:
    """List and return the titles' first words."""
    response = await client.get(TASKS, params={"sort": "title"} | query)
    assert response.status_code == 200, response.text
    return [item["title"].split()[0] for item in response.json()["items"]]


@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["alpha", "bravo", "charlie", "delta", "echo_1"]),
        ({"completed": "true"}, ["bravo"]),
        ({"completed": "false"}, ["alpha", "charlie", "delta", "echo_1"]),
        ({"priority": "high"}, ["delta"]),
        ({"priority": ["high", "low"]}, ["alpha", "delta"]),
        ({"tag": "home"}, ["alpha", "bravo"]),
        ({"tag": " HOME "}, ["alpha", "bravo"]),
        ({"tag": ["home", "work"]}, ["bravo"]),
        ({"due_before": "2030-01-02T00:00:00Z"}, ["alpha"]),
        ({"due_after": "2030-01-01T12:00:00+00:00"}, ["bravo", "echo_1"]),
        ({"due_after": "2030-01-01T00:00:00Z", "due_before": "2030-01-03T00:00:00Z"}, ["echo_1"]),
        ({"q": "ALPHA"}, ["alpha"]),
        ({"q": "needle"}, ["delta"]),
        ({"q": "%"}, ["delta"]),
        ({"q": "o_"}, ["echo_1"]),
        ({"q": "nothing"}, []),
        ({"q": "a", "completed": "true", "tag": "work", "priority": "urgent"}, ["bravo"]),
    ],
)
async def test_filters(client: httpx.AsyncClient, query: dict[str, Any], expected: list[str]) -> None:
    assert await titles(client, **query) == expected


ORDERS = {
    "created_at": ["alpha", "bravo", "charlie", "delta", "echo_1"],
    "-created_at": ["echo_1", "delta", "charlie", "bravo", "alpha"],
    "-title": ["echo_1", "delta", "charlie", "bravo", "alpha"],
    "due_at": ["alpha", "echo_1", "bravo", "", ""],
    "-due_at": ["bravo", "echo_1", "alpha", "", ""],
    "priority": ["alpha", "", "", "delta", "bravo"],
    "-priority": ["bravo", "delta", "", "", "alpha"],
}


@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize("sort", ORDERS)
async def test_orders_with_empty_values_last(client: httpx.AsyncClient, sort: str) -> None:
    found = await titles(client, sort=sort)
    expected = ORDERS[sort]
    assert [title if want else "" for title, want in zip(found, expected, strict=True)] == expected


@pytest.mark.usefixtures("examples")
async def test_the_newest_come_first_unless_asked_otherwise(client: httpx.AsyncClient) -> None:
    items = (await client.get(TASKS)).json()["items"]
    assert [item["title"].split()[0] for item in items] == ORDERS["-created_at"]


async def pages(client: httpx.AsyncClient, **query: Any) -> list[list[str]]:
    """Follow the cursors to the end and return each page's ids."""
    found: list[list[str]] = []
    cursor: str | None = None
    while True:
        params = query | ({"cursor": cursor} if cursor else {})
        response = await client.get(TASKS, params=params)
        assert response.status_code == 200, response.text
        body = response.json()
        found.append([item["id"] for item in body["items"]])
        cursor = body["next_cursor"]
        if cursor is None:
            return found
        assert len(found) < 50, "the cursors never end"


@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize("sort", [*ORDERS, "title"])
async def test_pages_put_together_are_the_list(client: httpx.AsyncClient, sort: str) -> None:
    whole = [item["id"] for item in (await client.get(TASKS, params={"sort": sort})).json()["items"]]
    for limit in (1, 2, 5):
        found = await pages(client, sort=sort, limit=limit)
        assert [task for page in found for task in page] == whole
        assert all(len(page) == limit for page in found[:-1])
        assert found[-1], "an empty last page is a cursor too many"


@pytest.mark.usefixtures("examples")
async def test_what_changes_meanwhile_neither_repeats_nor_hides_others(client: httpx.AsyncClient) -> None:
    before = [item["id"] for item in (await client.get(TASKS)).json()["items"]]
    first = (await client.get(TASKS, params={"limit": 2})).json()
    await client.post(TASKS, json={"title": "newest of all"})
    assert (await client.delete(f"{TASKS}/{before[1]}")).status_code == 204
    rest = (await client.get(TASKS, params={"limit": 100, "cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == before


@pytest.mark.usefixtures("examples")
async def test_pages_keep_the_filter(client: httpx.AsyncClient) -> None:
    found = await pages(client, tag="home", limit=1)
    assert [len(page) for page in found] == [1, 1]


def cursor_of(*content: object) -> str:
    """Make up a cursor."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"sort": "owner"},
        {"priority": "asap"},
        {"due_before": "2030-01-01T00:00:00"},
        {"due_before": "1900000000"},
        {"q": ""},
        {"q": "\x00"},
        {"tag": ""},
        {"priorty": "high"},
        {"cursor": "%%%"},
        {"cursor": "x"},
        {"cursor": "é"},
        {"cursor": "x" * 2001},
        {"cursor": cursor_of()},
        {"cursor": cursor_of("f", "2030-01-01T00:00:00", "0" * 32)},
        {"cursor": cursor_of("f", "2030-01-01T00:00:00Z", "0" * 31)},
        {"cursor": cursor_of("f", "2030-01-01T00:00:00Z", 7)},
        {"cursor": cursor_of("f", None, "0" * 32)},
        {"cursor": cursor_of("f", "a\x00", "0" * 32), "sort": "title"},
        {"cursor": cursor_of("f", "\ud800", "0" * 32), "sort": "title"},
        {"cursor": cursor_of("f", "asap", "0" * 32), "sort": "priority"},
    ],
)
async def test_a_wrong_query_is_refused(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    response = await client.get(TASKS, params=query)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    name = next(iter(query))
    assert error["in"] == "query"
    assert error["pointer"] in {f"#/{name}", f"#/{name}/0"}


@pytest.mark.usefixtures("examples")
async def test_a_cursor_serves_only_its_own_query(client: httpx.AsyncClient) -> None:
    cursor = (await client.get(TASKS, params={"limit": 1})).json()["next_cursor"]
    for other in ({"sort": "created_at"}, {"completed": "false"}, {"tag": "home"}):
        response = await client.get(TASKS, params={"cursor": cursor} | other)
        assert response.status_code == 422
        assert "another sort" in response.json()["errors"][0]["detail"]
    assert (await client.get(TASKS, params={"cursor": cursor, "limit": 50})).status_code == 200


async def test_all_filters_at_once_with_hard_values(client: httpx.AsyncClient) -> None:
    await client.post(TASKS, json={"title": "ünï 雪 'quoted' \\ %_"})
    everything = {
        "completed": "false",
        "priority": ["normal", "low"],
        "due_after": "0001-01-01T00:00:00Z",
        "due_before": "9999-12-31T23:59:59.999999Z",
        "tag": ["a", "b"],
        "q": "雪 'quoted' \\ %_",
        "sort": "-due_at",
    }
    assert (await client.get(TASKS, params=everything)).json()["items"] == []
    found = (await client.get(TASKS, params={"q": everything["q"]})).json()["items"]
    assert [item["title"] for item in found] == ["ünï 雪 'quoted' \\ %_"]

"""What somebody else does to a target's objects, whenever they may."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx


async def patch(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """What somebody does who may edit the target's objects."""
    response = await client.patch(path, json=body, headers={"Content-Type": "application/merge-patch+json"})
    assert response.is_success, response.text


def before_writing(client: httpx.AsyncClient, act: Callable[[], Awaitable[None]]) -> None:
    """Let somebody else act once, just before the next request of a client that writes."""
    earlier = list(client.event_hooks["request"])

    async def hook(request: httpx.Request) -> None:
        if request.method != "GET":
            client.event_hooks = {**client.event_hooks, "request": earlier}
            await act()

    client.event_hooks = {**client.event_hooks, "request": [*earlier, hook]}

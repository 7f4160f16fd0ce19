"""A request to the API server, sent again while there is no answer; the caller knows that it may arrive twice."""

from collections.abc import Mapping
from typing import Any

import anyio
import httpx

from sluice.adapters.kubernetes.answers import refused, unreachable

# What it says when it, or the etcd behind it, has no time: nothing about the request itself.
_BUSY = (429, 500, 502, 503, 504)


async def ask(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    what: str,
    *,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    longest_seconds: float = 10.0,
    pause_seconds: float = 0.5,
) -> httpx.Response:
    """Return the API server's answer, also one that refuses. `what` is what is asked for, for messages.

    Raises ClusterError with the last cause where there is none after `longest_seconds`; 0 asks once.
    """
    end = anyio.current_time() + longest_seconds
    while True:
        try:
            response = await client.request(method, path, json=body, headers=headers)
            if response.status_code not in _BUSY:
                return response
            cause = refused(response, what)
        except httpx.HTTPError as error:
            cause = unreachable(client, what, error)
        if anyio.current_time() + pause_seconds >= end:
            raise cause
        await anyio.sleep(pause_seconds)


async def asked(
    client: httpx.AsyncClient, method: str, path: str, what: str, *, besides: int = 0, **more: Any
) -> httpx.Response:
    """Return the answer of `ask`, which takes `more`; one that refuses is raised, but one of the status `besides`.

    Raises ClusterError.
    """
    answer = await ask(client, method, path, what, **more)
    if not answer.is_success and answer.status_code != besides:
        raise refused(answer, what)
    return answer

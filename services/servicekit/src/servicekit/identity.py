"""Who is asking. For now a trusted header; this file is what a later issue swaps for a JWT."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from servicekit.context import current_context
from servicekit.problems import Problem

USER_ID_HEADER = "X-User-ID"

_USER_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


async def current_user(request: Request) -> str:
    """Return the asking user's id and put it on the request's log lines, or answer 401."""
    given = request.headers.getlist(USER_ID_HEADER)
    # Two headers are refused too: a proxy and this service might not agree on which one counts.
    if len(given) != 1 or not _USER_ID.fullmatch(given[0]):
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            f"Send one {USER_ID_HEADER} header with 1 to 64 of A-Z a-z 0-9 . _ -",
            kind="user-unknown",
            headers={"WWW-Authenticate": f'{USER_ID_HEADER} realm="sluice"'},
        )
    context = current_context()
    if context is not None:
        context.user_id = given[0]
    return given[0]


CurrentUser = Annotated[str, Depends(current_user)]

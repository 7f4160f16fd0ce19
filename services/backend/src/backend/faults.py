"""Routes that fail on purpose, so that suites can prove alerts, logs and shutdown. Off unless asked for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import anyio
from fastapi import APIRouter, Query

from servicekit.identity import CurrentUser

LONGEST_DELAY_SECONDS = 5.0


class ProvokedError(Exception):
    """Raised by the fault route; its text is the caller's marker, to be found in the log again."""


def fault_router() -> APIRouter:
    """Build the router under `/faults`."""
    router = APIRouter(prefix="/faults", include_in_schema=False)

    @router.post("/error")
    async def error(_user: CurrentUser, marker: Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{1,200}$")]) -> None:
        raise ProvokedError(marker)

    @router.post("/delay", status_code=HTTPStatus.OK)
    async def delay(
        _user: CurrentUser,
        seconds: Annotated[float, Query(ge=0, le=LONGEST_DELAY_SECONDS, allow_inf_nan=False)],
    ) -> dict[str, float]:
        await anyio.sleep(seconds)
        return {"seconds": seconds}

    return router

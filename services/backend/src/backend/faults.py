"""Routes that fail on purpose: suites prove alerts, logs, scaling and dead letters with them. Off unless asked for."""

from __future__ import annotations

import hashlib
import threading
from http import HTTPStatus
from time import monotonic
from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Query

from servicekit.database import Database
from servicekit.events import TASK_UPDATED, TaskChanged, new_event
from servicekit.identity import CurrentUser
from servicekit.outbox import Outbox

LONGEST_DELAY_SECONDS = 5.0
LONGEST_BURN_SECONDS = 120.0
_BLOCK = bytes(1024 * 1024)


class ProvokedError(Exception):
    """Raised by the fault route; its text is the caller's marker, to be found in the log again."""


class Burner:
    """Keeps one core busy until a moment that may be moved on. One thread, so that probes are still answered."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def burn(self, seconds: float) -> None:
        """Burn for so long from now, or as long as was asked for before, whichever ends later."""
        with self._lock:
            self._until = max(self._until, monotonic() + seconds)
            if self._thread is None:
                # A daemon: the process need not wait for it to stop.
                self._thread = threading.Thread(target=self._run, name="burner", daemon=True)
                self._thread.start()

    @property
    def burning(self) -> bool:
        """Whether it still does."""
        return self._thread is not None

    def _run(self) -> None:
        while True:
            with self._lock:
                if monotonic() >= self._until:
                    self._thread = None
                    return
            # Hashing so much lets other threads run meanwhile.
            hashlib.sha256(_BLOCK)


def fault_router(database: Database, outbox: Outbox, service: str) -> APIRouter:
    """Build the router under `/faults`."""
    router = APIRouter(prefix="/faults", include_in_schema=False)
    burner = Burner()

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

    @router.post("/cpu", status_code=HTTPStatus.ACCEPTED)
    async def cpu(
        _user: CurrentUser,
        seconds: Annotated[float, Query(ge=0, le=LONGEST_BURN_SECONDS, allow_inf_nan=False)],
    ) -> dict[str, float]:
        burner.burn(seconds)
        return {"seconds": seconds}

    @router.post("/event", status_code=HTTPStatus.ACCEPTED)
    async def event(user: CurrentUser, kind: Literal["malformed", "unknown-version"]) -> dict[str, str]:
        # An event of no task, which no reader accepts; in the other case its type is a version that nobody knows.
        bad = new_event(TASK_UPDATED, TaskChanged(actor=user), source=service, subject="provoked", key=user)
        if kind == "unknown-version":
            bad = bad.model_copy(update={"type": "sluice.task.updated.v99"})
        async with database.transaction() as session:
            await outbox.add(session, TASK_UPDATED, bad)
        outbox.wake()
        return {"id": bad.id}

    return router

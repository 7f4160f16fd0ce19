"""A light, steady load of one user, and what became of each request of it: what is answered with 2xx is to be kept."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import httpx
from tests.e2e.support import Backend, Client

from sluice.errors import SluiceError, in_a_line

# What a client does that is answered nothing, or with an error that names no pause.
_PAUSE_SECONDS = 1.0
_ANSWERED_WITHIN = 30.0


@dataclass(frozen=True)
class Asked:
    """One request: when, how long it took (seconds), and its status, which is 0 where there was no answer."""

    service: str
    at: float
    seconds: float
    status: int
    request_id: str = ""
    task: str = ""
    cause: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was answered with 2xx: for a task, that it was taken."""
        return 200 <= self.status < 300

    @property
    def answered_at(self) -> float:
        """When the answer was there."""
        return self.at + self.seconds


@dataclass
class Load:
    """Creates tasks, and reads other services by their paths, each `every` so many seconds, `most` requests in all."""

    backend: Backend
    readers: Mapping[str, tuple[Client, str]] = field(default_factory=dict)
    every: float = 0.5
    workers: int = 2
    most: int = 2000
    asked: list[Asked] = field(default_factory=list)

    @property
    def taken(self) -> list[Asked]:
        """The tasks that the backend has acknowledged."""
        return [one for one in self.asked if one.task]

    def failed(self, *, since: float = 0.0, until: float = float("inf")) -> list[Asked]:
        """The requests under way in a window, or in some of it, that were not answered with 2xx."""
        return [one for one in self.asked if not one.ok and since <= one.answered_at and one.at <= until]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Send requests while the block runs. The last ones end before it is left: no answer goes unseen."""
        enough = anyio.Event()

        async def again(send: Callable[[], Awaitable[float]]) -> None:
            while not enough.is_set() and len(self.asked) < self.most:
                pause = await send()
                with anyio.move_on_after(pause):
                    await enough.wait()

        async with anyio.create_task_group() as group:
            for _ in range(self.workers):
                group.start_soon(again, self._create)
            for service, (client, path) in self.readers.items():

                async def read(service: str = service, client: Client = client, path: str = path) -> float:
                    return await self._send(service, client, "GET", path)

                group.start_soon(again, read)
            try:
                yield self
            finally:
                enough.set()

    async def _create(self) -> float:
        body = {"title": f"load {len(self.asked)}"}
        return await self._send("backend", self.backend, "POST", "/api/v1/tasks", body)

    async def _send(
        self, service: str, client: Client, method: str, path: str, body: dict[str, str] | None = None
    ) -> float:
        """Send one request and note what became of it; returns the pause after it, which a refusal may ask for."""
        began, clock = time.time(), time.monotonic()
        try:
            with anyio.fail_after(_ANSWERED_WITHIN):
                answer = await client.request(method, path, json=body)
        except (SluiceError, httpx.HTTPError, TimeoutError) as error:
            self.asked.append(Asked(service, began, time.monotonic() - clock, 0, cause=in_a_line(error)))
            return max(self.every, _PAUSE_SECONDS)
        task = str(answer.json()["id"]) if method == "POST" and answer.status_code == 201 else ""
        self.asked.append(
            Asked(
                service, began, time.monotonic() - clock, answer.status_code,
                answer.request.headers["X-Request-ID"], task, "" if answer.is_success else answer.text[:200],
            )
        )  # fmt: skip
        if answer.is_success:
            return self.every
        return max(self.every, float(answer.headers.get("Retry-After", _PAUSE_SECONDS)))

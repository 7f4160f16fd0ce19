"""A few places to work at, given to whoever is needed first."""

import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class Slots:
    """At most `count` hold a slot; of those that wait, the one with the lowest rank is next."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: list[tuple[int, int, anyio.Event]] = []
        self._arrived = 0

    @asynccontextmanager
    async def taken(self, rank: int) -> AsyncIterator[None]:
        """Hold a slot for the time of the context."""
        await self._take(rank)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, rank: int) -> None:
        if self._free:
            self._free -= 1
            return
        mine = anyio.Event()
        self._arrived += 1
        ticket = (rank, self._arrived, mine)
        heapq.heappush(self._waiting, ticket)
        try:
            await mine.wait()
        except BaseException:
            if mine.is_set():  # it was given to us while we were being cancelled
                self._give_back()
            else:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
            raise

    def _give_back(self) -> None:
        if self._waiting:
            heapq.heappop(self._waiting)[2].set()
        else:
            self._free += 1

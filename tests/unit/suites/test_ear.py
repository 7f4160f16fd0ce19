"""The client whose connections end: it goes on after what it heard, and says what it lost and for how long."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from tests.e2e.upgrade.ear import Ear
from tests.e2e.websocket.listening import Sync
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

pytestmark = pytest.mark.anyio


@dataclass
class Changes:
    """A sync that has `each` changes more at every connection, and ends it behind them with 1012; then it is silent."""

    each: tuple[int, ...]
    asked: list[int | None] = field(default_factory=list)
    silent: anyio.Event = field(default_factory=anyio.Event)

    @asynccontextmanager
    async def listening(self, user: str, *, after: int | None = None) -> AsyncIterator[Any]:
        self.asked.append(after)
        begun = after or 0
        rest = [{"type": "heartbeat", "sequence": begun}]
        if len(self.asked) <= len(self.each):
            more = range(begun + 1, begun + 1 + self.each[len(self.asked) - 1])
            rest += [{"type": "change", "sequence": n, "event": {"task_id": f"task-{n}"}} for n in more]
        ends = len(self.asked) <= len(self.each)

        async def recv() -> str:
            if rest:
                return json.dumps(rest.pop(0))
            if ends:
                raise ConnectionClosedError(Close(1012, "restarts"), None)
            self.silent.set()
            await anyio.sleep_forever()
            raise AssertionError

        yield SimpleNamespace(hello={"sequence": begun}, socket=SimpleNamespace(recv=recv))


async def test_it_goes_on_after_what_it_heard_and_misses_nothing() -> None:
    changes = Changes((2, 0, 3))
    ear = Ear(cast("Sync", changes), "ann")
    async with anyio.create_task_group() as group:
        group.start_soon(ear.listen)
        with anyio.fail_after(20):
            await changes.silent.wait()
        group.cancel_scope.cancel()
    assert ear.heard == [(number, f"task-{number}") for number in range(1, 6)]
    assert changes.asked == [None, 2, 2, 5]
    assert ear.ended == ["1012", "1012", "1012"]
    assert ear.longest_silence > 0

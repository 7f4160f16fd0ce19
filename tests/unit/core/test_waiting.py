"""Waiting: until it is, or until the deadline with the last cause."""

import anyio
import pytest

from sluice.adapters.waiting import until
from sluice.errors import NotReady

pytestmark = pytest.mark.anyio


async def test_it_ends_when_there_is_no_cause_left() -> None:
    causes = iter(["not yet", "almost", None])
    asked: list[str | None] = []

    async def cause() -> str | None:
        asked.append(next(causes))
        return asked[-1]

    await until(cause, deadline_seconds=20, what="it", every_seconds=0.001)
    assert asked == ["not yet", "almost", None]


async def test_the_deadline_tells_the_last_cause() -> None:
    counted = 0

    async def cause() -> str:
        nonlocal counted
        counted += 1
        return f"asked {counted} times"

    with pytest.raises(NotReady) as caught:
        await until(cause, deadline_seconds=0.1, what="the thing", next_command="look", every_seconds=0.01)
    assert counted > 1
    assert caught.value.seen == f"asked {counted} times"
    assert str(caught.value).startswith("the thing is not ready after 0 s\n")
    assert caught.value.next_command == "look"


async def test_a_question_that_hangs_is_ended_too() -> None:
    async def cause() -> None:
        await anyio.sleep_forever()

    with pytest.raises(NotReady) as caught:
        await until(cause, deadline_seconds=0.05, what="it")
    assert caught.value.seen == "no answer to the first question"


async def test_a_timeout_inside_a_question_is_not_the_deadline() -> None:
    async def cause() -> None:
        raise TimeoutError("of the question itself")

    with pytest.raises(TimeoutError, match="of the question itself"):
        await until(cause, deadline_seconds=20, what="it")

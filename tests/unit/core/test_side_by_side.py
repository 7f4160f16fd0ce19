"""side_by_side: results in order, so many at a time, and the first that fails ends the others."""

import anyio
import anyio.lowlevel
import pytest

from sluice.errors import SluiceError
from sluice.run import side_by_side

pytestmark = pytest.mark.anyio


async def test_results_come_in_the_order_of_the_items_whichever_is_done_first() -> None:
    later = anyio.Event()

    async def work(item: int) -> str:
        if item == 1:
            await later.wait()
        later.set()
        return f"of {item}"

    with anyio.fail_after(20):
        assert await side_by_side(work, iter([1, 2, 3])) == ["of 1", "of 2", "of 3"]
        assert await side_by_side(work, []) == []


@pytest.mark.parametrize(("width", "expected"), [(1, 1), (2, 2), (4, 4), (99, 6)])
async def test_so_many_are_at_work_at_a_time_and_no_more(width: int, expected: int) -> None:
    at_work, most = 0, 0

    async def work(_: int) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        for _ in range(10):  # the others get their turn
            await anyio.lowlevel.checkpoint()
        at_work -= 1

    await side_by_side(work, range(6), width=width)
    assert most == expected


async def test_the_first_that_fails_ends_the_others() -> None:
    ended: list[int] = []

    async def work(item: int) -> None:
        if item == 3:
            raise SluiceError("no")
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(item)

    with anyio.fail_after(20), pytest.raises(ExceptionGroup) as caught:
        await side_by_side(work, [1, 2, 3, 4, 5, 6], width=3)
    assert caught.group_contains(SluiceError, match="no")
    assert {1, 2} <= set(ended)
    assert not {5, 6} & set(ended), "what had not begun never does"

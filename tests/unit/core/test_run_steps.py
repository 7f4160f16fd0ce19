"""A run: its folder, its steps with timing, deadline and result; work that others wait for."""

import json
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from tests.unit.core.support import FakeProgress

from sluice.domain import Image, Images, load
from sluice.errors import NotReady, SluiceError
from sluice.run import Later, Run, begin

pytestmark = pytest.mark.anyio
IMAGES = Images((Image("a", "r/a", "sha256:1", 5),))


def new(home: Path) -> tuple[Run, FakeProgress]:
    progress = FakeProgress()
    return Run(home, progress), progress


async def quick() -> Images:
    return IMAGES


async def test_a_step_gives_its_result_and_keeps_it_on_disk(tmp_path: Path) -> None:
    run, progress = new(tmp_path)
    assert await run.step("build images", quick, deadline_seconds=20, detail="two") == IMAGES
    assert load(Images, run.folder / "steps" / "build-images.json") == IMAGES
    [timing] = run.timings
    assert (timing.name, timing.outcome, timing.detail) == ("build images", "done", "two")
    assert run.started <= timing.started
    assert progress.ended == [("build images", "done", "two")]


async def test_a_result_that_is_no_value_of_the_domain_is_not_written(tmp_path: Path) -> None:
    run, _ = new(tmp_path)

    async def work() -> dict[str, int]:
        return {"a": 1}

    assert await run.step("x", work, deadline_seconds=20) == {"a": 1}
    assert list((run.folder / "steps").iterdir()) == []


async def test_a_step_knows_how_long_it_took_last_time(tmp_path: Path) -> None:
    first, _ = new(tmp_path)
    await first.step("build images", quick, deadline_seconds=20)
    second, progress = new(tmp_path)
    await second.step("build images", quick, deadline_seconds=20)
    assert progress.begun == {"build images": first.timings[0].seconds}


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"build images": "long"}', "null"])
async def test_broken_timings_of_a_killed_run_do_no_harm(tmp_path: Path, content: str) -> None:
    (tmp_path / "timings.json").write_text(content)
    run, progress = new(tmp_path)
    await run.step("build images", quick, deadline_seconds=20)
    assert progress.begun == {"build images": None}
    assert set(json.loads((tmp_path / "timings.json").read_text())) == {"build images"}


async def test_the_deadline_is_an_error_that_tells_the_step(tmp_path: Path) -> None:
    run, progress = new(tmp_path)
    with pytest.raises(NotReady, match="the step 'charts' did not end within 0 s") as caught:
        await run.step("charts", anyio.sleep_forever, deadline_seconds=0.05)
    assert str(run.logs) in caught.value.next_command
    assert [timing.outcome for timing in run.timings] == ["failed"]
    assert progress.ended == [("charts", "failed", "")]
    assert list((run.folder / "steps").iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [SluiceError("refused"), ExceptionGroup("several", [SluiceError("a")]), KeyError("a bug"), OSError(28, "full")],
)
async def test_whatever_a_step_raises_goes_through_and_is_a_failure(tmp_path: Path, error: Exception) -> None:
    run, progress = new(tmp_path)

    async def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await run.step("x", work, deadline_seconds=20)
    assert caught.value is error
    assert [timing.outcome for timing in run.timings] == ["failed"]
    assert progress.ended[0][1] == "failed"
    assert not (tmp_path / "timings.json").exists()


async def test_a_timeout_inside_a_step_is_not_taken_for_its_deadline(tmp_path: Path) -> None:
    run, _ = new(tmp_path)

    async def work() -> None:
        raise TimeoutError("of a socket")

    with pytest.raises(TimeoutError, match="of a socket"):
        await run.step("x", work, deadline_seconds=20)


async def test_a_step_that_is_stopped_is_cancelled_not_failed(tmp_path: Path) -> None:
    run, progress = new(tmp_path)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: run.step("x", anyio.sleep_forever, deadline_seconds=60))
        with anyio.fail_after(20):
            while not progress.begun:
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert [timing.outcome for timing in run.timings] == ["cancelled"]
    assert progress.ended == [("x", "cancelled", "")]


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    first, _ = new(tmp_path)
    assert (tmp_path / "latest").resolve() == first.folder.resolve()
    second, _ = new(tmp_path)
    assert (tmp_path / "latest").resolve() == second.folder.resolve()
    assert first.id != second.id
    assert not (tmp_path / "latest").readlink().is_absolute(), "a moved tree keeps its link"


async def test_later_hands_its_result_to_everybody_who_waits() -> None:
    later: Later[int] = Later()
    got: list[int] = []

    async def wait() -> None:
        got.append(await later())

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        group.start_soon(wait)
        later.set(7)
    assert got == [7, 7]
    assert await later() == 7


async def test_work_that_was_begun_goes_on_beside_its_caller() -> None:
    may_end = anyio.Event()

    async def work() -> str:
        await may_end.wait()
        return "done"

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            later = begin(group, work)
            may_end.set()
            assert await later() == "done"


async def test_who_waits_for_work_that_fails_is_stopped() -> None:
    reached = False

    async def work() -> str:
        raise SluiceError("no")

    async def wait_for_it() -> None:
        nonlocal reached
        async with anyio.create_task_group() as group:
            later = begin(group, work)
            await later()
            reached = True

    with pytest.raises(ExceptionGroup) as caught, anyio.fail_after(20):
        await wait_for_it()
    assert caught.group_contains(SluiceError, match="no")
    assert not reached

"""What a run shows besides its steps: all of it as one piece of work, and words from deep inside a step."""

import json
from functools import partial
from pathlib import Path

import anyio
import pytest

from sluice.run import Run

pytestmark = pytest.mark.anyio


class Kept:
    """Progress that is kept."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        self.told.append(("begin", task, expected_seconds))

    def update(self, task: str, text: str) -> None:
        self.told.append((task, text))

    def end(self, task: str, *, outcome: str, detail: str = "") -> None:
        self.told.append(("end", task, outcome))


async def nothing() -> None:
    pass


class Broken(Exception):
    """What breaks a step here."""


async def broken() -> None:
    raise Broken


async def test_the_whole_is_told_with_the_time_that_it_took_last_time(tmp_path: Path) -> None:
    first, second = Kept(), Kept()
    with Run(tmp_path, first).whole("e2e"):
        pass
    kept = json.loads((tmp_path / "timings.json").read_bytes())
    assert kept["e2e"] >= 0
    (tmp_path / "timings.json").write_text(json.dumps({"e2e": 980.5}))
    run = Run(tmp_path, second)
    with run.whole("e2e"):
        await run.step("a", nothing, deadline_seconds=9)
    assert first.told == [("begin", "e2e", None), ("end", "e2e", "done")]
    assert second.told[0] == ("begin", "e2e", 980.5)
    assert second.told[-1] == ("end", "e2e", "done")
    assert [step.name for step in run.timings] == ["a"], "the whole is no step of the evidence"


@pytest.mark.parametrize("caught", [True, False])
async def test_a_run_that_broke_says_nothing_of_the_time_that_one_takes(tmp_path: Path, caught: bool) -> None:
    (tmp_path / "timings.json").write_text(json.dumps({"e2e": 980.5}))
    kept = Kept()
    run = Run(tmp_path, kept)
    with pytest.raises(Broken) if not caught else anyio.CancelScope(), run.whole("e2e"):
        try:
            await run.step("a", broken, deadline_seconds=9)
        except Broken:
            if not caught:
                raise
    assert kept.told[-1] == ("end", "e2e", "failed")
    assert json.loads((tmp_path / "timings.json").read_bytes()) == {"e2e": 980.5}


async def test_a_word_belongs_to_the_step_that_is_being_taken_also_where_several_are(tmp_path: Path) -> None:
    kept = Kept()
    run = Run(tmp_path, kept)

    async def deep(word: str, met: anyio.Event, other: anyio.Event) -> None:
        met.set()
        with anyio.fail_after(30):
            await other.wait()
        async with anyio.create_task_group() as group:
            group.start_soon(later, word)

    async def later(word: str) -> None:
        run.say(word)

    one, other = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as group:
        for name, mine, yours in (("a", one, other), ("b", other, one)):
            work = partial(run.step, name, partial(deep, f"of {name}", mine, yours), deadline_seconds=40)
            group.start_soon(work)
    await run.step("c", nothing, deadline_seconds=9)
    run.say("of none")
    said = [one for one in kept.told if one[0] not in ("begin", "end")]
    assert sorted(said) == [("", "of none"), ("a", "of a"), ("b", "of b")]

"""Load: what the client noted and what is there, as figures; and the client itself, that goes where the entry leads."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.failover import write as client
from tests.unit.regions.pairs import SOURCE, Pair

from sluice import failover_load
from sluice.adapters import process
from sluice.domain import load as load_json
from sluice.errors import CommandFailed, FailoverError, NotReady
from sluice.failing_over import Switch
from sluice.failover_load import Load
from sluice.files import append_line, json_lines
from sluice.regions import active as entry
from sluice.regions.active import Active
from sluice.regions.figures import Figures, against

pytestmark = pytest.mark.anyio
LOST = Switch("west", 2, began=110.0, unreachable="gone", last_commit=108.5, forced=("gone",), ended=130.0)


class Rig(Load):
    """A load whose programs are none: `found` is what is there, `asked` how it was read."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(pair, Path("/tree"))  # type: ignore[arg-type]
        self.found: dict[str, Any] = {}
        self.asked: list[str] = []

    async def _contexts(self, _: Any) -> dict[str, Path]:
        return {region: Path(f"/context-{region}") for region in ("east", "west")}

    def note(self, **line: Any) -> None:
        append_line(self._file, json.dumps(line))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(Pair(tmp_path))

    async def run(words: list[Any], **_: Any) -> None:
        made.asked = [str(word) for word in words[3:]]
        Path(made.asked[2]).write_text(json.dumps(made.found))

    monkeypatch.setattr(failover_load, "run_program", run)  # who reads
    monkeypatch.setattr(process, "run", run)  # who writes meanwhile
    for second in range(20):
        at = 100.0 + second if second < 10 else 120.0 + second
        made.note(id=f"t{second}", text=f"text {second}", at=at, region="east" if second < 10 else "west")
        if second % 3 == 0:
            made.note(anchor=f"head-{second}", entries=second, at=at)
    return made


def there(*lost: int) -> list[tuple[str, str]]:
    return [(f"t{number}", f"text {number}") for number in range(20) if number not in lost]


async def test_what_a_lost_region_had_alone_is_counted(rig: Rig) -> None:
    rig.found = {"tasks": there(9), "unheard": ["t8"], "chain": {"valid": True, "entries": 30}}
    figures = await rig.figures(SOURCE, LOST)
    assert (figures.planned, figures.tasks.lost, figures.lost_at, figures.unheard) == (
        False,
        ("t9",),
        (109.0,),
        ("t8",),
    )
    assert figures.silent_seconds == 21.0, "from the last that east acknowledged to the first of west's"
    assert against(figures) == []
    assert rig.asked[0] == "/context-west"
    assert rig.asked[3] == "head-6", "of 106: the one of 109 was checked after the last commit that west has"
    assert load_json(Figures, rig._run.folder / "figures.json") == figures


async def test_a_planned_switch_has_every_anchor_that_was_taken_before_it(rig: Rig) -> None:
    rig.found = {"tasks": there(), "unheard": [], "chain": {"valid": True, "entries": 30}}
    figures = await rig.figures(SOURCE, Switch("west", 2, began=110.0, wrote=5, last_commit=108.5, ended=130.0))
    assert rig.asked[3] == "head-9"
    assert (figures.planned, figures.anchor_entries) == (True, 9)


async def test_without_an_anchor_nothing_can_be_said_of_the_chain(rig: Rig) -> None:
    rig._file.unlink()
    rig.note(id="t1", text="x", at=1.0, region="east")
    with pytest.raises(FailoverError, match="no anchor"):
        await rig.figures(SOURCE, LOST)


async def test_it_waits_for_marks_before_and_of_the_new_region(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover_load, "_BEGIN_SECONDS", 0.2)
    monkeypatch.setattr(failover_load, "_AFTER_SECONDS", 0.2)
    with pytest.raises(NotReady) as caught:
        await rig.begun()
    assert caught.value.seen == "20 writes acknowledged, 7 anchors of the chain"
    with pytest.raises(NotReady) as caught:
        await rig.went_on(LOST)
    assert caught.value.seen == "10 writes acknowledged by west"
    for number in range(20, 40):
        rig.note(id=f"t{number}", text="x", at=time.time(), region="west")
    await rig.begun()
    await rig.went_on(LOST)


async def test_a_client_that_ends_is_no_quiet_switch(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ends(*_: Any, **__: Any) -> None:
        raise CommandFailed("writing marks failed", status=1)

    monkeypatch.setattr(process, "run", ends)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with rig.writing(SOURCE):
            await anyio.sleep_forever()
    assert caught.group_contains(CommandFailed)


async def test_the_client_is_told_where_the_entry_is_and_how_each_region_is_reached(rig: Rig) -> None:
    async with rig.writing(SOURCE):
        with anyio.fail_after(5):
            while not rig.asked:
                await anyio.lowlevel.checkpoint()
    assert rig.asked[0] == str(rig._tools.home)
    assert rig.asked[3:] == ["east=/context-east", "west=/context-west"]


def test_a_tree_without_the_client_is_refused(rig: Rig) -> None:
    with pytest.raises(FailoverError, match="nothing to write"):
        rig.check()


async def test_the_client_goes_where_the_entry_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And stays where it is while that region fails: nothing but the entry says that another one is active."""
    entry.write(tmp_path, Active("east", 1))
    file = tmp_path / "marks.jsonl"
    down: set[Path] = set()
    refused: list[int] = []

    @asynccontextmanager
    async def reach(context: Path) -> AsyncIterator[Path]:
        yield context

    async def write(reached: Path, _user: str, file: Path, number: int, *, region: str) -> None:
        if reached in down:
            refused.append(number)
            raise AssertionError("503")
        append_line(file, json.dumps({"id": number, "region": region, "reached": str(reached)}))

    async def anchor(*_: Any) -> None:
        pass

    monkeypatch.setattr(client, "reach", reach)
    monkeypatch.setattr(client, "write", write)
    monkeypatch.setattr(client, "anchor", anchor)
    monkeypatch.setattr(client, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(client, "_LOOK_SECONDS", 0.01)

    async def seen(region: str, count: int) -> None:
        with anyio.fail_after(10):
            while sum(line["region"] == region for line in json_lines(file)) < count:
                await anyio.sleep(0.01)

    contexts = {region: Path(f"/{region}") for region in ("east", "west")}
    async with anyio.create_task_group() as group:
        group.start_soon(client.main, tmp_path, "user", file, contexts)
        await seen("east", 3)
        down.add(Path("/east"))
        entry.write(tmp_path, Active("east", 1, "/runs/x"))  # a switch is under way: that leads nowhere else yet
        with anyio.fail_after(10):
            while len(refused) < 20:
                await anyio.sleep(0.01)
        assert not [line for line in json_lines(file) if line["region"] == "west"]
        entry.write(tmp_path, Active("west", 2))
        await seen("west", 3)
        group.cancel_scope.cancel()
    lines = list(json_lines(file))
    assert {(line["region"], line["reached"]) for line in lines} == {("east", "/east"), ("west", "/west")}
    assert len({line["id"] for line in lines}) == len(lines)

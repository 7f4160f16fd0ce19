"""against and page: a drill that does not hold says so, in numbers, and its page shows it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.domain import dump, load
from sluice.errors import RecoveryError
from sluice.recovery.figures import SCHEMA, Figures, Store, against
from sluice.recovery.marks import Mark, compare
from sluice.recovery.page import BEGIN, END, PAGE, section, write

ROOT = Path(__file__).parents[3]
TASKS = compare([Mark("a", "x", 90.0), Mark("b", "y", 95.0)], [("a", "x")], destroyed=100.0)
GOOD = Figures(
    SCHEMA, "20261126T200000Z-ab12", "0123456789abcdef", 100.0, 400.0, TASKS, True, 50, 48,
    (Store("postgresql", 12.0, "1", "1"), Store("kafka", 20.0, "2", "2"), Store("loki", 500.0, "3", "3", False)),
    (("restore postgresql", 12.34),),
)  # fmt: skip


def test_a_drill_that_holds() -> None:
    assert against(GOOD) == []
    assert (GOOD.rto_seconds, GOOD.rpo_seconds) == (300.0, 20.0)
    assert "**everything came back**" in section(GOOD)


BAD: dict[str, Callable[[Figures], Figures]] = {
    "none of 2": lambda it: replace(it, tasks=compare([Mark("a", "x", 90), Mark("b", "y", 95)], [], destroyed=100)),
    "missing among": lambda it: replace(
        it, tasks=compare([Mark("a", "x", 90), Mark("b", "y", 95)], [("b", "y")], destroyed=100)
    ),
    "came back changed": lambda it: replace(it, tasks=compare([Mark("a", "x", 90)], [("a", "z")], destroyed=100)),
    "chain does not hold": lambda it: replace(it, chain_valid=False),
    "48 were anchored": lambda it: replace(it, chain_entries=47),
    "kafka: restored 9": lambda it: replace(it, stores=(Store("kafka", 20.0, "2", "9"),)),
    "loki: restored nothing": lambda it: replace(it, stores=(Store("loki", 20.0, "2", "", False),)),
    "RTO 601 s": lambda it: replace(it, running_again=701.0),
    "RPO 61 s": lambda it: replace(it, stores=(Store("kafka", 61.0, "2", "2"),)),
    "3601 s old": lambda it: replace(it, stores=(Store("loki", 3601.0, "2", "2", False),)),
}


@pytest.mark.parametrize("said", BAD)
def test_what_is_against_it_is_said(said: str) -> None:
    found = against(BAD[said](GOOD))
    assert [said in one for one in found] == [True], found
    assert "**it failed**" in section(BAD[said](GOOD))


def test_figures_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_bytes(dump(GOOD))
    assert load(Figures, tmp_path / "figures.json") == GOOD


def test_the_page_keeps_what_people_wrote(tmp_path: Path) -> None:
    path = tmp_path / PAGE
    path.parent.mkdir()
    path.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write(tmp_path, GOOD)
    write(tmp_path, GOOD)
    assert path.read_text() == f"# Before\n\n{BEGIN}\n{section(GOOD)}{END}\n\nafter\n"


@pytest.mark.parametrize("text", ["nothing", f"{END} {BEGIN}", f"{BEGIN} {BEGIN} {END}"])
def test_a_page_without_a_place_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / PAGE
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(RecoveryError) as caught:
        write(tmp_path, GOOD)
    assert str(PAGE) in str(caught.value)
    assert path.read_text() == text


def test_ours_has_the_place() -> None:
    text = (ROOT / PAGE).read_text()
    assert text.index(BEGIN) < text.index(END)

"""silence, against and the page: a switch says what was lost, why, and for how long nothing was acknowledged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.domain import dump, load
from sluice.errors import RecoveryError
from sluice.recovery.marks import Mark
from sluice.regions.figures import MOST_SILENT_SECONDS, SCHEMA, Figures, against, compared, silence
from sluice.regions.page import PAGE, marks_of, section, write

ROOT = Path(__file__).parents[3]
MARKS = [Mark(f"t{number}", f"text {number}", 90.0 + number) for number in range(10)]
ALL = [(mark.id, mark.text) for mark in MARKS]
WHOLE, _ = compared(MARKS, ALL, began=99.5)
GOOD = Figures(
    SCHEMA, "20261126T200000Z-ab12", "0123456789abcdef", "east", "west", 2, True, (), 99.5, 120.0, 31.5, WHOLE, 99.0,
    (), True, 60, 50, (("fence east", 4.2),),
)  # fmt: skip


def lossy(*lost: int) -> Figures:
    """An unplanned switch without some of the marks."""
    kept = [pair for number, pair in enumerate(ALL) if number not in lost]
    tasks, at = compared(MARKS, kept, began=99.5)
    return replace(GOOD, planned=False, tasks=tasks, lost_at=tuple(at), last_commit=97.9, forced=("east is gone",))


def test_a_switch_that_holds() -> None:
    assert against(GOOD) == []
    assert "Nothing was lost of 10 acknowledged writes." in section(GOOD)
    assert "**it holds**" in section(GOOD)


def test_what_an_unplanned_one_lost_is_counted_and_named_and_no_fault_within_the_lag() -> None:
    figures = lossy(8, 9)
    assert against(figures) == []
    text = section(figures)
    assert "2 of 10 acknowledged writes were lost: `t8`, `t9`." in text
    assert "east acknowledged them in the 1.00 s up to its end; replication does not wait for west" in text
    assert "committed 1.10 s before" in text
    assert "Overruled by `--force`: east is gone." in text


BAD: dict[str, Callable[[], Figures]] = {
    "a planned switch lost 2 acknowledged writes: t8, t9": lambda: replace(lossy(8, 9), planned=True),
    "1 writes are missing from before the last that west has": lambda: lossy(3, 9),
    "2 writes that were acknowledged after the switch": lambda: replace(lossy(8, 9), ended=97.0),
    "none of 10 acknowledged writes": lambda: lossy(*range(10)),
    "the hash chain lacks 1 writes": lambda: replace(GOOD, unheard=("t3",)),
    "chain does not hold": lambda: replace(GOOD, chain_valid=False),
    "49 entries, 50 were anchored": lambda: replace(GOOD, chain_entries=49),
    "121 s without an acknowledged write": lambda: replace(GOOD, silent_seconds=MOST_SILENT_SECONDS + 1),
}


@pytest.mark.parametrize("said", BAD)
def test_what_is_against_it_is_said(said: str) -> None:
    figures = BAD[said]()
    assert [one for one in against(figures) if said in one], against(figures)
    assert "**it failed**" in section(figures)


def test_a_lost_region_takes_events_along_which_is_said_and_no_fault() -> None:
    figures = replace(lossy(), unheard=("t8",), chain_entries=49)
    assert against(figures) == []
    assert "| writes that the hash chain lacks | 1 | named |" in section(figures)


def test_a_planned_switch_that_lost_something_gives_no_excuse() -> None:
    assert "this is a fault" in replace(lossy(9), planned=True).loss
    assert "replication does not wait" not in replace(lossy(9), planned=True).loss


@pytest.mark.parametrize(
    ("acknowledged", "seconds"),
    [
        ([1, 2, 9, 10, 20, 21], 10.0),  # of the gaps that reach into it, the longest
        ([1, 2, 30, 31], 28.0),  # from the last before it to the first after it
        ([1, 2, 11, 12, 13], 9.0),  # what is silent before and after does not count
        ([1, 2], 13.0),  # nothing any more
        ([], 10.0),
    ],
)
def test_the_longest_time_without_an_acknowledged_write(acknowledged: list[float], seconds: float) -> None:
    assert silence(reversed(acknowledged), since=5, until=15) == seconds


def test_figures_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_bytes(dump(lossy(9)))
    assert load(Figures, tmp_path / "figures.json") == lossy(9)


def test_each_kind_of_switch_has_its_place_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / PAGE
    path.parent.mkdir()
    begin, end = marks_of(planned=True)
    begin_lost, end_lost = marks_of(planned=False)
    path.write_text(f"# Before\n{begin}\nold\n{end}\nbetween\n{begin_lost}\n{end_lost}\nafter\n")
    for figures in (GOOD, lossy(9), GOOD):
        write(tmp_path, figures)
    assert path.read_text() == (
        f"# Before\n{begin}\n{section(GOOD)}{end}\nbetween\n{begin_lost}\n{section(lossy(9))}{end_lost}\nafter\n"
    )


def test_a_page_without_a_place_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / PAGE).parent.mkdir()
    (tmp_path / PAGE).write_text("nothing")
    with pytest.raises(RecoveryError, match=r"failover\.md"):
        write(tmp_path, GOOD)


def test_ours_has_both_places() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    for planned in (True, False):
        begin, end = marks_of(planned=planned)
        assert text.index(begin) < text.index(end)

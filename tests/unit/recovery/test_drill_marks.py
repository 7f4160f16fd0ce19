"""compare: what came back of what was acknowledged, in numbers."""

from hypothesis import given
from hypothesis import strategies as st

from sluice.recovery.marks import Mark, anchor_before, compare

WRITTEN = [Mark(f"t{number}", f"marked {number}", 100.0 + number) for number in range(10)]
FOUND = [(mark.id, mark.text) for mark in WRITTEN]


def test_all_of_them() -> None:
    got = compare(WRITTEN, FOUND, destroyed=110.0)
    assert (got.written, got.returned, got.lost, got.rpo_seconds, got.whole) == (10, 10, (), 0.0, True)


def test_the_last_ones_are_lost_from_the_first_of_them_on() -> None:
    got = compare(WRITTEN, FOUND[:7], destroyed=112.0)
    assert (got.lost, got.holes, got.rpo_seconds, got.whole) == (("t7", "t8", "t9"), (), 5.0, True)


def test_a_hole_is_no_loss_at_the_end() -> None:
    got = compare(WRITTEN, [*FOUND[:3], *FOUND[4:]], destroyed=112.0)
    assert (got.lost, got.holes, got.whole) == (("t3",), ("t3",), False)
    assert got.rpo_seconds == 9.0, "it was acknowledged so long before the disaster"


def test_what_came_back_changed_has_another_checksum() -> None:
    changed = [(name, "another" if name == "t4" else text) for name, text in FOUND]
    got = compare(WRITTEN, changed, destroyed=110.0)
    assert not got.whole
    assert got.checksum_before != got.checksum_after


def test_what_nobody_acknowledged_is_no_fault() -> None:
    assert compare(WRITTEN, [*FOUND, ("t10", "in flight")], destroyed=111.0).whole


def test_nothing_is_not_whole() -> None:
    got = compare(WRITTEN, [], destroyed=111.0)
    assert (got.returned, got.whole, got.rpo_seconds) == (0, False, 11.0)
    assert not compare([], [], destroyed=1.0).whole


@given(st.permutations(WRITTEN), st.permutations(FOUND))
def test_the_order_of_lists_does_not_matter(written: list[Mark], found: list[tuple[str, str]]) -> None:
    assert compare(written, found, destroyed=110.0) == compare(WRITTEN, FOUND, destroyed=110.0)


def test_the_anchor_is_the_newest_of_before_a_moment_else_the_oldest() -> None:
    lines = [{"id": "t1", "at": 1.0}, *({"anchor": f"a{at}", "at": at} for at in (2.0, 5.0, 9.0))]
    assert [(anchor_before(lines, moment) or {})["anchor"] for moment in (1.0, 5.0, 8.0, 10.0)] == [
        "a2.0", "a5.0", "a5.0", "a9.0"
    ]  # fmt: skip
    assert anchor_before(lines[:1], 10.0) is None

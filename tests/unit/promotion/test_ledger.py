"""The ledger: in order, chained, and nothing in it can be changed without being seen."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest

from sluice.promotion.ledger import (
    ENDED,
    GENESIS,
    MOST_DETAIL,
    NEXT,
    Entry,
    State,
    append,
    broken,
    by_promotion,
    cut_or_rewritten,
    from_lines,
    of_release,
    to_lines,
    unfinished,
    verified,
    verified_at,
)

Why = Literal["deploy", "rollback"]
WHOLE: tuple[State, ...] = ("planned", "copied", "deployed", "verified")


def entry(state: State, promotion: str = "p1", release: str = "sha256:1") -> Entry:
    return Entry(0, 100.0, "gke", promotion, release, "r", state, "Ada")


def ledger(*promotions: tuple[str, str, Sequence[State]]) -> tuple[Entry, ...]:
    entries: tuple[Entry, ...] = ()
    for promotion, release, states in promotions:
        for state in states:
            entries = append(entries, entry(state, promotion, release))
    return entries


TWO = ledger(("p1", "sha256:1", WHOLE), ("p2", "sha256:2", ("planned", "copied", "deployed", "rolled-back")))


def test_entries_are_numbered_and_chained_from_nothing() -> None:
    assert [one.number for one in TWO] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert TWO[0].before == GENESIS
    assert all(later.before == earlier.digest for earlier, later in pairwise(TWO))
    assert broken(TWO) == ""
    assert broken(()) == ""


CHANGES: list[tuple[Callable[[tuple[Entry, ...]], Sequence[Entry]], str]] = [
    (lambda all_: (*all_[:2], replace(all_[2], who="Eve"), *all_[3:]), "entry 3 is not what its digest"),
    (lambda all_: (*all_[:2], replace(all_[2], at=101.0), *all_[3:]), "entry 3 is not what its digest"),
    (lambda all_: (*all_[:2], *all_[3:]), "entry 3 says that it is number 4"),
    (lambda all_: (all_[1], *all_[1:]), "entry 1 says that it is number 2"),
    (lambda all_: (*all_[:3], replace(all_[3], before=GENESIS), *all_[4:]), "entry 4 follows sha256:0000"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_changed_ledger_is_known_by_the_first_entry_that_does_not_fit(
    change: Callable[[tuple[Entry, ...]], Sequence[Entry]], said: str
) -> None:
    assert said in broken(change(TWO))


def test_a_promotion_goes_from_state_to_state_and_ends() -> None:
    for state, following in NEXT.items():
        way = WHOLE[: WHOLE.index(state) + 1] if state in WHOLE else (*WHOLE[:3], state)
        entries = ledger(("p1", "sha256:1", way))
        for other in NEXT:
            if other in following:
                append(entries, entry(other))
            else:
                with pytest.raises(ValueError, match=f"p1 is {state}"):
                    append(entries, entry(other))
    assert set(ENDED) == {"verified", "rolled-back", "failed"}


def test_one_promotion_at_a_time() -> None:
    entries = ledger(("p1", "sha256:1", WHOLE[:2]))
    with pytest.raises(ValueError, match=r"p1 is under way \(copied\)"):
        append(entries, entry("planned", "p2"))
    with pytest.raises(ValueError, match="begins with copied"):
        append(ledger(("p1", "sha256:1", WHOLE)), entry("copied", "p2"))


def test_what_to_go_on_with_and_what_to_go_back_to() -> None:
    assert unfinished(TWO) is None
    assert verified(TWO) == TWO[3]
    assert verified(TWO, but="sha256:1") is None
    open_ = ledger(("p1", "sha256:1", WHOLE), ("p2", "sha256:2", WHOLE[:2]))
    assert unfinished(open_) == open_[-1]
    assert unfinished(()) is verified(()) is None


BACK: tuple[State, ...] = (*WHOLE[:3], "rolled-back")


@pytest.mark.parametrize(
    ("promotions", "last"),
    [
        ([("1", WHOLE), ("2", WHOLE), ("2", BACK)], "1"),  # what runs is what it went back to
        ([("1", WHOLE), ("2", WHOLE), ("3", BACK)], "2"),
        ([("1", WHOLE), ("2", WHOLE), ("2", BACK), ("2", WHOLE)], "2"),
        ([("1", WHOLE), ("2", WHOLE), ("1", ("planned", "rolled-back"))], "2"),
        ([("1", WHOLE), ("2", WHOLE), ("2", ("planned", "failed"))], "2"),
        ([("1", WHOLE), ("2", WHOLE), ("2", WHOLE), ("2", BACK)], "1"),
    ],
)
def test_what_was_gone_back_from_does_not_stand(promotions: list[tuple[str, Sequence[State]]], last: str) -> None:
    entries = ledger(*((f"p{number}", release, states) for number, (release, states) in enumerate(promotions)))
    found = verified(entries)
    assert found is not None
    assert found.release == last


def test_a_rollback_that_was_undone_takes_nothing_from_the_one_before() -> None:
    entries = ledger(("p1", "1", WHOLE), ("p2", "2", WHOLE), ("p3", "1", ("planned", "rolled-back")))
    assert verified(entries, but="2") == entries[3]


def test_a_promotion_is_one_of_one_release_and_its_name_is_not_used_again() -> None:
    with pytest.raises(ValueError, match="p1 is one of sha256:1, not of sha256:2"):
        append(ledger(("p1", "sha256:1", WHOLE[:1])), entry("copied", "p1", "sha256:2"))
    with pytest.raises(ValueError, match="p1 has ended"):
        append(TWO, entry("planned", "p1"))


def test_a_promotion_that_changed_nothing_yet_may_be_rolled_back() -> None:
    assert unfinished(ledger(("p1", "sha256:1", ("planned", "rolled-back")))) is None


def test_lines_hold_all_of_an_entry_and_a_digest_is_the_same_after_reading() -> None:
    said = replace(entry("planned"), at=100, detail="“quoted”\nand\u2028broken")
    entries = append((), said)
    text = to_lines(entries)
    assert text.count("\n") == 1
    assert from_lines(text) == entries
    assert broken(from_lines(text)) == ""
    assert from_lines("") == ()


def test_a_long_detail_is_cut() -> None:
    [one] = append((), replace(entry("planned"), detail="ä" * (MOST_DETAIL + 1)))
    assert (len(one.detail), one.detail[-2:]) == (MOST_DETAIL, "ä…")
    [other] = append((), replace(entry("planned"), detail="ä" * MOST_DETAIL))
    assert other.detail == "ä" * MOST_DETAIL


LINE = to_lines(TWO[:1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LINE + LINE[:-20] + "\n", "line 2 is no entry: Invalid JSON"),
        (LINE.replace('"planned"', '"paused"'), "line 1 is no entry: state: "),
        (LINE.replace('"who"', '"whose"'), "line 1 is no entry: who"),
        (LINE.replace("{", '{"more":1,'), "line 1 is no entry: more: "),
        (LINE.replace('"number":1', '"number":"1"'), "line 1 is no entry: number: "),
        ("[]\n", "line 1 is no entry: "),
        (LINE + "\n", "line 2 is no entry: "),
    ],
)
def test_what_is_no_entry_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what it says is compared below
        from_lines(text)
    assert said in str(caught.value)


def test_a_ledger_goes_on_where_it_ended_or_was_cut_or_rewritten() -> None:
    assert cut_or_rewritten(TWO[:3], TWO) == cut_or_rewritten((), TWO) == cut_or_rewritten(TWO, TWO) == ""
    assert cut_or_rewritten(TWO, TWO[:3]) == "it has 3 entries, and had 8 before"
    anew = ledger(("p1", "sha256:1", WHOLE[:2]), ("p1", "sha256:1", ("failed",)))
    assert cut_or_rewritten(TWO, anew).startswith(f"entry 3 is {anew[2].digest[:19]}, and was")


def test_promotions_in_their_order_with_where_they_began_and_got_to() -> None:
    assert [(one.first.number, one.last.number) for one in by_promotion(TWO)] == [(1, 4), (5, 8)]
    assert by_promotion(()) == ()
    assert of_release(TWO, "sha256:2") == TWO[4:]


def timed(*verified_ones: tuple[str, float, Why]) -> list[Entry]:
    """Promotions that were verified: release, when, why."""
    entries: tuple[Entry, ...] = ()
    for number, (release, at, why) in enumerate(verified_ones):
        for state in WHOLE:
            one = replace(entry(state, f"p{number}", release), why=why, at=at if state == "verified" else 0.0)
            entries = append(entries, one)
    return list(entries)


@pytest.mark.parametrize(
    ("verified_ones", "since"),
    [
        ([], None),
        ([("other", 1.0, "deploy")], None),
        ([("it", 1.0, "deploy"), ("other", 2.0, "deploy")], 1.0),
        ([("it", 1.0, "deploy"), ("it", 2.0, "deploy")], 1.0),
        ([("it", 1.0, "deploy"), ("other", 2.0, "deploy"), ("it", 3.0, "deploy")], 3.0),
        ([("other", 0.5, "deploy"), ("it", 1.0, "deploy"), ("other", 2.0, "rollback")], None),
        ([("it", 1.0, "deploy"), ("bad", 2.0, "deploy"), ("it", 3.0, "rollback")], 3.0),
        ([("other", 1.0, "deploy"), ("it", 2.0, "deploy"), ("other", 3.0, "rollback"), ("it", 4.0, "deploy")], 4.0),
    ],
)
def test_since_when_a_release_is_a_verified_one(
    verified_ones: list[tuple[str, float, Why]], since: float | None
) -> None:
    assert verified_at(timed(*verified_ones), "it") == since


def test_one_that_was_gone_back_from_has_to_be_verified_anew() -> None:
    once = (("p1", "1", WHOLE), ("p2", "2", WHOLE), ("p3", "2", BACK))
    assert verified_at(ledger(*once), "2") is None
    assert verified_at(ledger(*once), "1") == 100.0
    assert verified_at(ledger(*once, ("p4", "2", WHOLE)), "2") == 100.0


def test_what_was_not_verified_has_no_time_of_it() -> None:
    assert verified_at(TWO, "sha256:2") is None

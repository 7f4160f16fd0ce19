"""The ledger: in order, chained, and nothing in it can be changed without being seen."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from sluice.promotion.ledger import ENDED, GENESIS, NEXT, Entry, State, append, broken, unfinished, verified

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

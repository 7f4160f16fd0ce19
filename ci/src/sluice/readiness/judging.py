"""Catalog, snapshot and confirmations → readiness. Pure, and fails closed: what could not be looked at does not count.

Points: of a section 100 × the weights of what counts ÷ the weights of all its items, of the whole the same over all
items, so that a section weighs as much as what is in it.
"""

from collections.abc import Iterable, Mapping

from sluice.readiness.checks import CHECKS, Check
from sluice.readiness.model import (
    SCHEMA,
    Catalog,
    Confirmation,
    Item,
    ItemResult,
    Readiness,
    SectionScore,
    State,
)
from sluice.readiness.snapshot import Snapshot


def judge(
    catalog: Catalog,
    snapshot: Snapshot,
    confirmations: Iterable[Confirmation] = (),
    *,
    required: float = 0.0,
    checks: Mapping[str, Check] = CHECKS,
) -> Readiness:
    """Return what a target comes to. `required` is in points of 100; of a check that there is not, nothing counts."""
    given = {one.item: one for one in confirmations if one.target == snapshot.target.name}
    sections = []
    for section in catalog.sections:
        results = tuple(
            _checked(item, snapshot, checks.get(item.id))
            if item.automatic
            else _confirmed(item, snapshot.at, given.get(item.id))
            for item in catalog.of(section.name)
        )
        weight = sum(one.weight for one in results)
        sections.append(SectionScore(section.name, section.title, score(results), weight, results))
    all_items = [item for section in sections for item in section.items]
    missing = {str(source): why for source, why in snapshot.missing.items()}
    return Readiness(SCHEMA, snapshot.target.name, snapshot.at, score(all_items), required, tuple(sections), missing)


def score(results: Iterable[ItemResult]) -> float:
    """Return the points of items, to a tenth, rounded down: no rounding reaches a score. 0 of none."""
    given = list(results)
    weight = sum(one.weight for one in given)
    return 1000 * sum(one.weight for one in given if one.counts) // weight / 10 if weight else 0.0


def _checked(item: Item, snapshot: Snapshot, check: Check | None) -> ItemResult:
    lacking = [f"{source}: {snapshot.missing[source]}" for source in item.reads if source in snapshot.missing]
    if lacking:
        return _result(item, "unchecked", wrong=tuple(lacking))
    if check is None:
        return _result(item, "unchecked", wrong=("there is no check of it",))
    try:
        found = check(snapshot)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        # Objects are what others wrote: one of an odd shape is no reason to tell nothing of all the others.
        return _result(item, "unchecked", wrong=(f"what came cannot be read: {type(error).__name__}: {error}",))
    return _result(item, "failed" if found.wrong else "passed", found.seen, found.wrong)


def _confirmed(item: Item, at: float, given: Confirmation | None) -> ItemResult:
    if given is None:
        return _result(item, "unconfirmed", wrong=("nobody has confirmed it",))
    confirmed, until = given.when.timestamp(), given.until.timestamp()
    over = until <= at
    return ItemResult(
        item.id,
        item.what,
        "person",
        "unconfirmed" if over else "confirmed",
        item.weight,
        given.note,
        (f"the confirmation of {given.who} is over",) if over else (),
        given.who,
        confirmed,
        until,
    )


def _result(item: Item, state: State, seen: str = "", wrong: tuple[str, ...] = ()) -> ItemResult:
    return ItemResult(item.id, item.what, "machine" if item.automatic else "person", state, item.weight, seen, wrong)

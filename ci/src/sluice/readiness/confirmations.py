"""release/readiness.toml: who confirms which item of a target, since when, and until when."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.policy.checked import Mistake, entries, load_checked
from sluice.policy.model import STRICT
from sluice.readiness.catalog import PAGE
from sluice.readiness.model import Catalog, Confirmation

FILE = "release/readiness.toml"


@dataclass(frozen=True)
class _Confirmations:
    __pydantic_config__ = STRICT

    schema: Literal["sluice.confirmations/v1"]
    confirmations: Annotated[tuple[Confirmation, ...], Field(alias="confirmation")] = ()


def load_confirmations(
    path: Path, catalog: Catalog, targets: Collection[str], *, now: float
) -> tuple[Confirmation, ...]:
    """Return the confirmations in a file that may be missing; those that are over are among them, and count no more.

    `targets` are the names of all, `now` is in epoch seconds. Raises PolicyError with every mistake: an item that there
    is not or that a machine checks, no such target, a confirmation that was given in the future, that ends before it
    begins or lasts longer than its item allows, or a second one of an item and target.
    """
    known = {item.id: item for item in catalog.items}

    def contradictions(given: dict[str, Any]) -> Iterator[Mistake]:
        seen: set[tuple[str, str]] = set()
        for index, entry in entries(given, "confirmation"):
            place = ("confirmation", index)
            id_, target = entry.get("item"), entry.get("target")
            item = known.get(id_) if isinstance(id_, str) else None
            if isinstance(id_, str) and item is None:
                yield (*place, "item"), f"no such item; {PAGE} lists them"
            if item and item.automatic:
                yield (*place, "item"), "a machine checks it: nobody's word counts"
            if isinstance(target, str) and target not in targets:
                yield (*place, "target"), f"no such target; there is {', '.join(sorted(targets)) or 'none'}"
            yield from (((*place, key), said) for key, said in _times(entry, item.days if item else 366, now))
            if isinstance(id_, str) and isinstance(target, str):
                if (id_, target) in seen:
                    yield (*place, "item"), f"is confirmed for {target} already: renew that one"
                seen.add((id_, target))

    if not path.exists():
        return ()
    read = load_checked(
        path,
        _Confirmations,
        contradictions,
        tables="confirmation",
        named_by="item",
        dates=True,
        documented=str(PAGE),
    )
    return read.confirmations


def _times(entry: dict[str, Any], days: int, now: float) -> Iterator[tuple[str, str]]:
    when, until = entry.get("when"), entry.get("until")
    if isinstance(when, datetime) and when.tzinfo and when.timestamp() > now:
        yield "when", "is in the future"
    if not (isinstance(when, datetime) and isinstance(until, datetime) and when.tzinfo and until.tzinfo):
        return  # what is wrong with its type is told by its type
    if until <= when:
        yield "until", f"is not after {when.isoformat()}"
    elif until - when > timedelta(days=days):
        yield "until", f"is more than {days} days after {when.isoformat()}: look again by then"

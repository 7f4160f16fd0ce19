"""What was done to a target, entry by entry: append only, each entry chained to the one before by its digest.

An entry's digest is SHA-256 over its JSON of one spelling, the digest of the entry before included: whoever changes,
removes or puts in an entry breaks every digest after it. The scheme: a hash chain (Haber and Stornetta, How to
Time-Stamp a Digital Document, Journal of Cryptology 3(2), 1991).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from sluice.policy.model import STRICT

State = Literal["planned", "copied", "deployed", "verified", "rolled-back", "failed"]
GENESIS = "sha256:" + 64 * "0"
MOST_DETAIL = 1000  # characters of `detail`; the whole of a failure is in the evidence of its promotion

# From each state those that a promotion may go to; a promotion that was killed goes on from the one it got to.
NEXT: dict[State, tuple[State, ...]] = {
    "planned": ("copied", "rolled-back", "failed"),
    "copied": ("deployed", "rolled-back", "failed"),
    "deployed": ("verified", "rolled-back", "failed"),
    "verified": (),
    "rolled-back": (),
    "failed": (),
}
ENDED: tuple[State, ...] = tuple(state for state, following in NEXT.items() if not following)


@dataclass(frozen=True)
class Entry:
    """One step of a promotion. `at` is in seconds since the epoch, `release` the digest of what is promoted.

    `why` is "deploy" or "rollback"; `detail` says what came of it, such as the reason of a failure.
    The fields are the format: one more would change the digests of all entries that are written already.
    """

    __pydantic_config__ = STRICT

    number: int
    at: float
    target: str
    promotion: str
    release: str
    release_id: str
    state: State
    who: str
    why: Literal["deploy", "rollback"] = "deploy"
    detail: str = ""
    before: str = GENESIS
    digest: str = ""


@dataclass(frozen=True)
class Promotion:
    """A promotion as the ledger tells it: the entry that it began with, and the one it got to."""

    first: Entry
    last: Entry


_ENTRY = TypeAdapter(Entry)


def digest_of(entry: Entry) -> str:
    """Return the digest that an entry has to have."""
    content = {key: value for key, value in asdict(entry).items() if key != "digest"}
    return f"sha256:{hashlib.sha256(_spelled(content).encode()).hexdigest()}"


def to_lines(entries: Iterable[Entry]) -> str:
    """Return entries as text: one JSON object a line, each line ended."""
    return "".join(_spelled(asdict(entry)) + "\n" for entry in entries)


def from_lines(text: str) -> tuple[Entry, ...]:
    """Return what `to_lines` wrote; whether it is chained, `broken` tells. Raises ValueError that has the line."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            entries.append(_ENTRY.validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"line {number} is no entry: {': '.join(filter(None, (place, first['msg'])))}") from None
    return tuple(entries)


def _spelled(content: Mapping[str, object]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def append(entries: Sequence[Entry], entry: Entry) -> tuple[Entry, ...]:
    """Return the ledger with one entry more, chained to the last; a `detail` that is too long is cut.

    Raises ValueError where the promotion cannot go to that state from the one it is in, is one of another release, has
    ended, or another one is under way.
    """
    last = current(entries)
    if last is not None and last.promotion == entry.promotion:
        if entry.state not in NEXT[last.state]:
            raise ValueError(f"promotion {entry.promotion} is {last.state}, which {entry.state} does not follow")
        if entry.release != last.release:
            raise ValueError(f"promotion {entry.promotion} is one of {last.release}, not of {entry.release}")
    elif last is not None and last.state not in ENDED:
        raise ValueError(f"promotion {last.promotion} is under way ({last.state})")
    elif entry.state != "planned":
        raise ValueError(f"promotion {entry.promotion} begins with {entry.state}; expected planned")
    elif any(one.promotion == entry.promotion for one in entries):
        raise ValueError(f"promotion {entry.promotion} has ended; expected another name for another promotion")
    detail = entry.detail if len(entry.detail) <= MOST_DETAIL else entry.detail[: MOST_DETAIL - 1] + "…"
    before = entries[-1].digest if entries else GENESIS
    # A whole number of seconds is spelled as what is read back: 100.0.
    chained = replace(entry, number=len(entries) + 1, at=float(entry.at), detail=detail, before=before, digest="")
    return (*entries, replace(chained, digest=digest_of(chained)))


def broken(entries: Iterable[Entry]) -> str:
    """Return what is wrong with the first entry that does not fit into the chain; empty where all do."""
    before = GENESIS
    for number, entry in enumerate(entries, 1):
        if entry.number != number:
            return f"entry {number} says that it is number {entry.number}"
        if entry.before != before:
            return f"entry {number} follows {entry.before[:19]}, and the one before it is {before[:19]}"
        if entry.digest != digest_of(entry):
            return f"entry {number} is not what its digest {entry.digest[:19]} was made of"
        before = entry.digest
    return ""


def cut_or_rewritten(known: Sequence[Entry], entries: Sequence[Entry]) -> str:
    """Return why a whole ledger is none that goes on where the known beginning of it ends; empty where it does."""
    for one, other in zip(known, entries, strict=False):
        if one.digest != other.digest:
            return f"entry {one.number} is {other.digest[:19]}, and was {one.digest[:19]} before"
    if len(entries) < len(known):
        return f"it has {len(entries)} entries, and had {len(known)} before"
    return ""


def current(entries: Sequence[Entry]) -> Entry | None:
    """Return the newest entry; None of an empty ledger."""
    return entries[-1] if entries else None


def unfinished(entries: Sequence[Entry]) -> Entry | None:
    """Return where the promotion that did not come to its end got to; None where there is none."""
    last = current(entries)
    return last if last is not None and last.state not in ENDED else None


def verified(entries: Sequence[Entry], *, but: str = "") -> Entry | None:
    """Return the last release that was verified on the target; `but` is the digest of one that does not count.

    Nor does one count that was promoted once more and gone back from: the one before it runs.
    """
    stood: list[Entry] = []
    for one in entries:
        if one.state == "verified":
            stood.append(one)
        elif one.state == "rolled-back" and stood and stood[-1].release == one.release:
            stood = [other for other in stood if other.release != one.release]
    return next((one for one in reversed(stood) if one.release != but), None)


def of_release(entries: Iterable[Entry], release: str) -> tuple[Entry, ...]:
    """Return the entries of a release, given by its digest."""
    return tuple(one for one in entries if one.release == release)


def by_promotion(entries: Iterable[Entry]) -> tuple[Promotion, ...]:
    """Return the promotions, in the order in which they began."""
    found: dict[str, Promotion] = {}
    for one in entries:
        begun = found.get(one.promotion)
        found[one.promotion] = Promotion(begun.first if begun else one, one)
    return tuple(found.values())


def verified_at(entries: Iterable[Entry], release: str) -> float | None:
    """Return since when a release, given by its digest, is a verified one on the target, in seconds since the epoch.

    None where it never was, or where the target was rolled back from it and it was not verified again. To verify it
    again while nothing else was verified in between changes nothing.
    """
    at: float | None = None
    stands = ""
    for one in entries:
        if one.state == "rolled-back" and one.release == release:
            at, stands = None, ""
        if one.state != "verified":
            continue
        if one.release == release:
            at = at if stands == release else one.at
        elif one.why == "rollback" and stands == release:
            at = None
        stands = one.release
    return at

"""What was done to a target, entry by entry: append only, each entry chained to the one before by its digest.

An entry's digest is SHA-256 over its JSON of one spelling, the digest of the entry before included: whoever changes,
removes or puts in an entry breaks every digest after it. The scheme: a hash chain (Haber and Stornetta, How to
Time-Stamp a Digital Document, Journal of Cryptology 3(2), 1991).
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

State = Literal["planned", "copied", "deployed", "verified", "rolled-back", "failed"]
GENESIS = "sha256:" + 64 * "0"

# From each state those that a promotion may go to; a promotion that was killed goes on from the one it got to.
NEXT: dict[State, tuple[State, ...]] = {
    "planned": ("copied", "failed"),
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
    """

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


def digest_of(entry: Entry) -> str:
    """Return the digest that an entry has to have."""
    content = {key: value for key, value in asdict(entry).items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def append(entries: Sequence[Entry], entry: Entry) -> tuple[Entry, ...]:
    """Return the ledger with one entry more, chained to the last.

    Raises ValueError where the promotion cannot go to that state from the one it is in, or another one is under way.
    """
    last = current(entries)
    if last is not None and last.promotion == entry.promotion:
        if entry.state not in NEXT[last.state]:
            raise ValueError(f"promotion {entry.promotion} is {last.state}, which {entry.state} does not follow")
    elif last is not None and last.state not in ENDED:
        raise ValueError(f"promotion {last.promotion} is under way ({last.state})")
    elif entry.state != "planned":
        raise ValueError(f"promotion {entry.promotion} begins with {entry.state}; expected planned")
    before = entries[-1].digest if entries else GENESIS
    chained = replace(entry, number=len(entries) + 1, before=before, digest="")
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


def current(entries: Sequence[Entry]) -> Entry | None:
    """Return the newest entry; None of an empty ledger."""
    return entries[-1] if entries else None


def unfinished(entries: Sequence[Entry]) -> Entry | None:
    """Return where the promotion that did not come to its end got to; None where there is none."""
    last = current(entries)
    return last if last is not None and last.state not in ENDED else None


def verified(entries: Sequence[Entry], *, but: str = "") -> Entry | None:
    """Return the last release that was verified on the target; `but` is the digest of one that does not count."""
    return next((one for one in reversed(entries) if one.state == "verified" and one.release != but), None)

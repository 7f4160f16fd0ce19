"""A target's ledger → its deployments, which of them failed, and when what failed was over.

A deployment is a promotion, no rollback, that came to change what users have: its images were copied, so that charts
were installed. One that is under way is none yet. docs/delivery.md says how this fits DORA's words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from sluice.promotion.ledger import ENDED, Entry, verified

Ended = Literal["verified", "rolled-back", "failed"]


@dataclass(frozen=True)
class Deployment:
    """Times are seconds since the epoch. `began` is when charts began to be installed, `ended` when it was over.

    `before` is the digest of the release that stood there before it. Of one that failed, `failed_at` is when that is
    known to have begun, `recovered_at` when a release was verified after that; None while none was. `by_hand` tells
    that it was verified and somebody rolled back from it: what users saw before that, no ledger knows.
    """

    promotion: str
    release: str
    release_id: str
    began: float
    ended: float
    outcome: Ended
    before: str = ""
    failed_at: float | None = None
    recovered_at: float | None = None
    by_hand: bool = False

    @property
    def failed(self) -> bool:
        """Whether it took an intervention: going back, or mending forward."""
        return self.failed_at is not None

    @property
    def recovery_seconds(self) -> float | None:
        """How long it took until a release was verified again; None where nothing failed, or nothing was yet."""
        if self.failed_at is None or self.recovered_at is None:
            return None
        return self.recovered_at - self.failed_at


def deployments(entries: Sequence[Entry]) -> tuple[Deployment, ...]:
    """Return the deployments of a ledger, in the order in which they ended. `entries` are whole, oldest first."""
    found: list[Deployment] = []
    read = 0
    for _, group in groupby(entries, key=lambda entry: entry.promotion):  # one at a time: the ledger takes no others
        steps = list(group)
        stood = verified(entries[:read])
        read += len(steps)
        later = entries[read:]
        if steps[0].why == "rollback":
            _blame(found, steps, stood, later)
        elif one := _deployment(steps, stood.release if stood else "", later):
            found.append(one)
    return tuple(found)


def _deployment(steps: Sequence[Entry], before: str, later: Sequence[Entry]) -> Deployment | None:
    """What a promotion was for users; None where nothing changed for them, and while it is under way."""
    first, last = steps[0], steps[-1]
    began = next((step.at for step in steps if step.state == "copied"), None)
    if began is None or last.state not in ENDED:
        return None
    outcome: Ended = last.state  # type: ignore[assignment]  # one of ENDED
    one = Deployment(first.promotion, first.release, first.release_id, began, last.at, outcome, before)
    if outcome == "verified":
        return one
    recovered = last.at if outcome == "rolled-back" else _next_verified(later)
    return replace(one, failed_at=began, recovered_at=recovered)


def _blame(found: list[Deployment], steps: Sequence[Entry], stood: Entry | None, later: Sequence[Entry]) -> None:
    """Note on the deployment that a rollback goes back from that it failed."""
    if stood is None or steps[0].release == stood.release:
        return
    for number in reversed(range(len(found))):
        one = found[number]
        if one.release == stood.release and one.outcome == "verified":
            if not one.failed:  # of a second rollback from it, the first one tells since when
                recovered = _next_verified([*steps, *later])
                found[number] = replace(one, failed_at=steps[0].at, recovered_at=recovered, by_hand=True)
            return


def _next_verified(entries: Sequence[Entry]) -> float | None:
    return next((one.at for one in entries if one.state == "verified"), None)

"""Whether a release may go to a target: every reason against it, at once. Pure: what is known of the world is given."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sluice.domain import Verdict
from sluice.promotion.approvals import Approval, approved_by
from sluice.promotion.ledger import Entry, verified_at
from sluice.promotion.model import Target
from sluice.promotion.release import Release, why_not_accepted
from sluice.promotion.windows import why_closed


@dataclass(frozen=True)
class Ready:
    """The last score of readiness that is known of a target: points of 100, and when, in seconds since the epoch."""

    score: float
    at: float


@dataclass(frozen=True)
class Known:
    """What is known when a promotion is asked for. `at` is now, in seconds since the epoch.

    `unproven` says of images what is wrong with their signatures and attestations. `ledgers` are those of the targets
    that come first; where one could not be read, `unread` has the reason under its name. `only_way_out` is set where it
    began in a window and there is nothing to go back to: left in its middle until the next it would stay half done.
    `first` is set where no release was ever verified: nothing runs there yet whose readiness could be looked at.
    """

    at: float
    digest: str
    approvals: Sequence[Approval] = ()
    unproven: Sequence[str] = ()
    ledgers: Mapping[str, Sequence[Entry]] | None = None
    unread: Mapping[str, str] | None = None
    only_way_out: bool = False
    first: bool = False
    ready: Ready | None = None


def reasons_against(target: Target, release: Release, verdict: Verdict, known: Known) -> list[str]:
    """Return why a release may not go to a target now; empty where it may."""
    closed = "" if known.only_way_out else why_closed(target, known.at)
    found = [why_not_accepted(release, verdict, target.accept), *known.unproven, closed]
    found.append("" if known.first or known.only_way_out else _not_ready(target, known))
    return [*filter(None, found), *_out_of_order(target, known), *_not_approved(target, release, known)]


def _out_of_order(target: Target, known: Known) -> Iterator[str]:
    for name in target.after:
        if why := (known.unread or {}).get(name):
            yield f"{name} comes first, and its ledger cannot be read: {why}"
            continue
        since = verified_at((known.ledgers or {}).get(name, ()), known.digest)
        if since is None:
            yield f"{name} comes first, and this release is not verified there: ./nox -s deploy -- --target {name}"
        elif known.at - since < target.soak_seconds:
            lacks = timedelta(seconds=round(target.soak_seconds - (known.at - since)))
            wanted = timedelta(seconds=round(target.soak_seconds))
            yield f"it is to be on {name} for {wanted} before {target.name}: {lacks} are left"


def _not_approved(target: Target, release: Release, known: Known) -> Iterator[str]:
    people = approved_by(known.approvals, target.name, release.id)
    if len(people) < target.approvals:
        by = ", ".join(people) or "nobody"
        yield f"{target.approvals} approvals are needed in release/approvals.toml for {release.id}: approved by {by}"


def _not_ready(target: Target, known: Known) -> str:
    wanted, again = target.readiness, f"./nox -s readiness -- --target {target.name}"
    if wanted is None:
        return ""
    if known.ready is None:
        return f"its readiness is not known, and {wanted.score:g} points are needed: {again}"
    days = (known.at - known.ready.at) / 86_400
    # From the future it says nothing of how old it is.
    if not 0 <= days <= wanted.days:
        return f"its readiness was looked at {days:.1f} days ago, and may be {wanted.days:g} old: {again}"
    if not known.ready.score >= wanted.score:
        return f"its readiness is {known.ready.score:g} points, and {wanted.score:g} are needed: {again}"
    return ""

"""Events of Kubernetes and entries of a promotion ledger as what happened; events also as a run's files have them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sluice.incident.model import Happening, Missing
from sluice.incident.window import Window
from sluice.ports import ClusterEvent
from sluice.promotion.ledger import Entry, State, verified
from sluice.steps.bundle import moment
from sluice.steps.cluster_text import STOPPED

# No warnings, and yet what somebody asks for first: what was started, stopped and moved.
_TELLING = (*STOPPED, "ScalingReplicaSet", "SuccessfulRescale", "NodeNotReady", "NodeReady", "Rebooted")
_JOINED_SECONDS = 120.0
_MADE_UP = re.compile(r"(-[a-z0-9]{8,10})?-[a-z0-9]{5}\Z")
_LINE = re.compile(
    r"(?P<at>\S+Z) (?P<kind>Warning|Normal) (?P<namespace>[^/\s]*)/(?P<of>[^/\s]*)/(?P<name>\S*) (?P<reason>[^:\s]*): "
    r"(?P<message>.*?)(?: \((?P<count>\d+) times\))?"
)
_STATES: dict[State, str] = {
    "planned": "promotion begins",
    "copied": "its images are copied, charts are being installed",
    "deployed": "it is deployed, and being verified",
    "verified": "it is verified",
    "rolled-back": "rolled back",
    "failed": "the promotion failed",
}


def event_happenings(events: Iterable[ClusterEvent], when: Window) -> list[Happening]:
    """Warnings, and what was started, stopped or moved, in the order of time.

    Those of a kind about pods of one owner that follow each other within two minutes are one: with how many there were,
    on how many of them, and the words of the last.
    """
    groups: dict[tuple[str, str, str, str], list[list[ClusterEvent]]] = {}
    for one in sorted(set(events), key=lambda event: (event.at, event.name, event.message)):
        if when.has(one.at) and (one.warning or one.reason in _TELLING):
            known = groups.setdefault((one.namespace, one.kind, _owner(one), one.reason), [])
            if known and one.at - known[-1][-1].at <= _JOINED_SECONDS:
                known[-1].append(one)
            else:
                known.append([one])
    return [_joined(group) for known in groups.values() for group in known]


def _joined(group: Sequence[ClusterEvent]) -> Happening:
    first, last = group[0], group[-1]
    count, names = sum(one.count for one in group), {one.name for one in group}
    times = f", {count} times up to then" if count > 1 else ""
    several = f" on {len(names)} of them" if len(names) > 1 else ""
    where = f"{last.namespace}/{last.kind}/{_owner(last) if several else last.name}"
    until = last.at if last.at > first.at else None
    return Happening(first.at, "kubernetes", f"{last.reason}{times}{several}", where, until, last.message)


def _owner(event: ClusterEvent) -> str:
    """A pod's name without what its Deployment, DaemonSet or Job has made up."""
    return _MADE_UP.sub("-*", event.name) if event.kind == "Pod" else event.name


def too_old(events: Sequence[ClusterEvent], when: Window) -> Missing | None:
    """What Kubernetes has forgotten of the time: it keeps an event for an hour, unless it is told otherwise."""
    oldest = min((one.at for one in events), default=None)
    if oldest is not None and oldest <= when.start:
        return None
    told = f"the oldest that it still has is of {moment(oldest)}" if oldest else "it has none any more"
    return Missing("events of Kubernetes, the older ones", f"{told}; it forgets them after an hour (--event-ttl)")


def events_of(text: str) -> Iterator[ClusterEvent]:
    """The events of a file that cluster_text.event_line wrote; what is no line of it is left out."""
    for line in text.splitlines():
        told = _LINE.fullmatch(line.strip())
        if told is None:
            continue
        try:
            at = datetime.fromisoformat(told["at"]).timestamp()
        except ValueError:
            continue
        yield ClusterEvent(
            at=at,
            namespace=told["namespace"],
            kind=told["of"],
            name=told["name"],
            warning=told["kind"] == "Warning",
            reason=told["reason"],
            message=told["message"],
            count=int(told["count"] or 1),
        )


def promotion_happenings(entries: Sequence[Entry], when: Window) -> list[Happening]:
    """Each entry of a ledger in that time: what became of which release, and by whom."""
    return [
        Happening(
            one.at,
            "promotion",
            f"{'rollback to' if one.why == 'rollback' else 'release'} {one.release_id}: {_STATES[one.state]}",
            one.target,
            None,
            "; ".join(filter(None, (f"by {one.who}", one.detail))),
        )
        for one in entries
        if when.has(one.at)
    ]


def stood_at(entries: Sequence[Entry], at: float) -> str:
    """Which release was the verified one at a time."""
    found = verified([one for one in entries if one.at < at])
    return f"{found.release_id}, verified {moment(found.at)}" if found else "none that was verified"

"""What is against a switch: all of it at once, and what of it a person may overrule."""

from dataclasses import dataclass

from sluice.regions.active import Active
from sluice.regions.model import REGIONS, Database, Seen

MOST_WAL_BYTES = 1024 * 1024  # what the standby may be behind; a planned switch waits for it
MOST_EVENTS = 1000


@dataclass(frozen=True)
class Reasons:
    """What is against a switch. `lag` is what may be lost or cannot be measured: `--force` overrules that alone."""

    refused: tuple[str, ...] = ()
    lag: tuple[str, ...] = ()


def against(to: str, active: Active | None, old: Seen, new: Seen, mirror: int | str) -> Reasons:
    """Return what is against going from the region `old`, which is active, to `new`.

    `mirror` is how many events the mirror has not copied, or why that is not known.
    """
    if wrong := nowhere(to, active):
        return Reasons((wrong,))
    assert active
    refused = _not_ready(active, new)
    if not new.unreachable:
        refused += _another_release(old, new)
    return Reasons(tuple(refused), tuple(_lag(old, new, mirror)))


def nowhere(to: str, active: Active | None) -> str:
    """Return why there is nothing to be asked of the regions at all; empty where there is."""
    if to not in REGIONS:
        return f"there is no region {to!r}: {' and '.join(REGIONS)} are"
    if active is None:
        return "there are no regions: ./nox -s regions -- up raises them"
    if active.switching:
        return f"a switch is under way: ./nox -s failover -- --to {to} --again {active.switching} ends it"
    if active.region == to:
        return f"{to} is the active region already, since epoch {active.epoch}"
    return ""


def _not_ready(active: Active, new: Seen) -> list[str]:
    """Why the region that is to be active cannot be."""
    if new.unreachable:
        return [f"{new.name} cannot be asked: {new.unreachable}"]
    found = []
    if new.marker is None:
        found.append(f"{new.name} does not say what it is: it has no ConfigMap region that could be read")
    elif new.marker.role != "standby":
        found.append(f"{new.name} is {new.marker.role} and no standby: ./nox -s regions -- up makes one of it")
    if new.marker is not None and new.marker.epoch > active.epoch:
        found.append(f"{new.name} is of epoch {new.marker.epoch}, and the entry of {active.epoch}: the entry is stale")
    if new.database is None:
        found.append(f"{new.name}'s database does not answer")
    elif not new.database.standby:
        found.append(f"{new.name}'s database follows nobody: it writes already, on timeline {new.database.timeline}")
    return found + [f"{new.name}: {line}" for line in new.trouble]


def _another_release(old: Seen, new: Seen) -> list[str]:
    """Why what would run is not what runs; `old` may be known from this host's copy of its ledger only."""
    found = []
    if not new.release:
        found.append(f"no release was ever verified in {new.name}")
    if new.release != old.release:
        found.append(f"{new.name} has the release {_short(new.release)}, {old.name} has {_short(old.release)}")
    if not old.unreachable:
        for name in sorted({*old.images, *new.images}):
            if old.images.get(name) != new.images.get(name):
                images = [", ".join(one.images.get(name, ())) or "nothing" for one in (new, old)]
                found.append(f"{name} is {images[0]} in {new.name}, {images[1]} in {old.name}")
    return found


def _lag(old: Seen, new: Seen, mirror: int | str) -> list[str]:
    """What the region that is to be active does not have, as far as anybody knows."""
    if old.unreachable:
        return [
            f"{old.name} cannot be asked ({old.unreachable}): it cannot be fenced, and nobody knows what it "
            f"acknowledged and {new.name} lacks"
        ]
    found = []
    if old.database is None:
        found.append(f"{old.name}'s database does not answer: nobody knows what {new.name} lacks of it")
    elif new.database:
        found += _behind(old.database, new, new.database)
    if isinstance(mirror, str):
        found.append(f"nobody knows how far the mirror is: {mirror}")
    elif mirror > MOST_EVENTS:
        found.append(f"the mirror is {mirror} events behind, at most {MOST_EVENTS}")
    return found


def _behind(primary: Database, new: Seen, standby: Database) -> list[str]:
    behind = primary.at - standby.at
    found = [] if standby.streaming else [f"{new.name}'s database does not follow at the moment"]
    if behind > MOST_WAL_BYTES:
        found.append(f"{new.name}'s database is {behind} bytes of WAL behind, at most {MOST_WAL_BYTES}")
    return found


def _short(release: str) -> str:
    return release[:19] or "none"

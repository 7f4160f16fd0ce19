"""The figures of a drill: what came back, how long it took (RTO), how much was lost (RPO), against the plan.

RTO and RPO as in ISO 22301: the time until it runs again, and the age of what it runs with.
"""

from dataclasses import dataclass

from sluice.recovery.marks import Comparison

SCHEMA = "sluice.drill/v1"
# The plan's, in seconds, and what a drill on one machine with marked data must keep to.
PLAN_RTO, PLAN_RPO = 4 * 3600.0, 3600.0
DRILL_RTO, DRILL_RPO = 600.0, 60.0


@dataclass(frozen=True)
class Store:
    """One store that was restored: the age of its back-up at the disaster, and its checksum before and after.

    Checksums are over the files' names and contents, as keep-files.sh tells them; PostgreSQL has none of its own, its
    marks do. `acknowledged`: what users were told is kept is in it, so that the drill's RPO is asked of it.
    """

    name: str
    age_seconds: float
    before: str = ""
    after: str = ""
    acknowledged: bool = True

    @property
    def same(self) -> bool:
        """Whether what was restored is what was backed up."""
        return self.before == self.after


@dataclass(frozen=True)
class Figures:
    """What a drill measured. Times in seconds since the epoch, durations in seconds; `chain` as its keeper finds it.

    `steps` are the names and durations between the disaster and the end, in order.
    """

    schema: str
    run_id: str
    revision: str
    destroyed: float
    running_again: float
    tasks: Comparison
    chain_valid: bool
    chain_entries: int
    anchor_entries: int
    stores: tuple[Store, ...]
    steps: tuple[tuple[str, float], ...]

    @property
    def rto_seconds(self) -> float:
        """From the disaster until everything runs again and was checked."""
        return self.running_again - self.destroyed

    @property
    def rpo_seconds(self) -> float:
        """The most that is lost of what users were told is kept."""
        return max([self.tasks.rpo_seconds, *(one.age_seconds for one in self.stores if one.acknowledged)])


def against(figures: Figures) -> list[str]:
    """Return everything that a drill has against the recovery; empty where it holds."""
    tasks = figures.tasks
    found = []
    if not tasks.returned:
        found.append(f"none of {tasks.written} acknowledged tasks came back")
    if tasks.holes:
        found.append(f"{len(tasks.holes)} tasks are missing among those that came back: {', '.join(tasks.holes[:5])}")
    elif tasks.checksum_before != tasks.checksum_after:
        found.append(f"tasks came back changed: {tasks.checksum_before[:12]} was {tasks.checksum_after[:12]} after")
    if not figures.chain_valid:
        found.append("the hash chain does not hold against the anchor of before")
    if figures.chain_entries < figures.anchor_entries:
        found.append(f"the hash chain has {figures.chain_entries} entries, {figures.anchor_entries} were anchored")
    found += [
        f"{one.name}: restored {one.after[:12] or 'nothing'}, backed up {one.before[:12] or 'nothing'}"
        for one in figures.stores
        if not one.same
    ]
    for what, seconds, limit in (
        ("RTO", figures.rto_seconds, DRILL_RTO),
        ("RPO", figures.rpo_seconds, DRILL_RPO),
    ):
        if seconds > limit:
            found.append(f"{what} {seconds:.0f} s, at most {limit:.0f} s in a drill")
    found += [
        f"{one.name}: its back-up was {one.age_seconds:.0f} s old, the plan allows {PLAN_RPO:.0f} s"
        for one in figures.stores
        if one.age_seconds > PLAN_RPO
    ]
    return found

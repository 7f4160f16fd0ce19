"""The figures of a switch: what was acknowledged and is missing, why, and for how long nothing was acknowledged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sluice.recovery.marks import Comparison, Mark, compare

SCHEMA = "sluice.failover/v1"
MOST_SILENT_SECONDS = 120.0  # without an acknowledged write: more is no switch but an outage
_SHOWN = 5
# A write is acknowledged after its commit, so one that is missing from before the last commit is no lag; clocks may
# differ by this, in seconds.
_CLOCKS = 1.0


@dataclass(frozen=True)
class Figures:
    """What a switch came to. Times in seconds since the epoch, durations in seconds.

    `planned`: the old side was reached and fenced. `began` is when it was touched, or lost. `last_commit` is when the
    last transaction was committed that the new side has of the old one; 0 where that is not known. `unheard` are the
    marks that are there and whose event audit never got. `steps` are names and durations, in order.
    """

    schema: str
    run_id: str
    revision: str
    source: str
    target: str
    epoch: int
    planned: bool
    forced: tuple[str, ...]
    began: float
    ended: float
    silent_seconds: float
    tasks: Comparison
    last_commit: float
    unheard: tuple[str, ...]
    chain_valid: bool
    chain_entries: int
    anchor_entries: int
    steps: tuple[tuple[str, float], ...]
    lost_at: tuple[float, ...] = ()

    @property
    def loss(self) -> str:
        """How much was lost and why, in a sentence."""
        lost = len(self.tasks.lost)
        if not lost:
            return f"Nothing was lost of {self.tasks.written} acknowledged writes."
        names = ", ".join(f"`{one}`" for one in self.tasks.lost[:_SHOWN])
        more = f" and {lost - _SHOWN} more" if lost > _SHOWN else ""
        said = f"{lost} of {self.tasks.written} acknowledged writes were lost: {names}{more}."
        if self.planned:
            return f"{said} A planned switch waits for every one of them: this is a fault."
        first, last = min(self.lost_at), max(self.lost_at)
        why = (
            f" {self.source} acknowledged them in the {last - first:.2f} s up to its end; replication does not wait for"
            f" {self.target}"
        )
        if self.last_commit:
            why += f", whose last transaction of {self.source} was committed {last - self.last_commit:.2f} s before"
        return f"{said}{why}."


def silence(acknowledged: Iterable[float], *, since: float, until: float) -> float:
    """Return the longest time without an acknowledged write that reaches into a window, in seconds, rounded to 0.01.

    A window in which nothing was acknowledged at its end is silent up to there.
    """
    times = sorted(acknowledged)
    before = [at for at in times if at <= since]
    moments = [before[-1] if before else since, *(at for at in times if since < at <= until)]
    after = next((at for at in times if at > until), until)
    return round(max((b - a for a, b in zip(moments, [*moments[1:], after], strict=True)), default=0.0), 2)


def compared(
    marks: Sequence[Mark], found: Iterable[tuple[str, str]], *, began: float
) -> tuple[Comparison, list[float]]:
    """Return what of the marks is there, and when those were acknowledged that are not, in seconds since the epoch."""
    comparison = compare(marks, found, destroyed=began)
    lost = set(comparison.lost)
    return comparison, sorted(mark.at for mark in marks if mark.id in lost)


def against(figures: Figures) -> list[str]:
    """Return everything that a switch has against it; empty where it holds.

    What an unplanned one lost within the replication's lag is no fault of it: it is said, by count and name.
    """
    tasks, found = figures.tasks, []
    if not tasks.returned:
        found.append(f"none of {tasks.written} acknowledged writes is there")
    if figures.planned and tasks.lost:
        found.append(f"a planned switch lost {len(tasks.lost)} acknowledged writes: {', '.join(tasks.lost[:_SHOWN])}")
    late = [at for at in figures.lost_at if at > figures.ended]
    if late:
        found.append(f"{len(late)} writes that were acknowledged after the switch are not there")
    # Before its last commit the new side has everything: what is missing from there is a hole, and no lag.
    held = [at for at in figures.lost_at if figures.last_commit and at < figures.last_commit - _CLOCKS]
    if not figures.planned and held:
        found.append(f"{len(held)} writes are missing from before the last that {figures.target} has")
    if figures.planned and figures.unheard:
        found.append(f"the hash chain lacks {len(figures.unheard)} writes that are there")
    if not figures.chain_valid:
        found.append("the hash chain does not hold against the anchor of before")
    if figures.planned and figures.chain_entries < figures.anchor_entries:
        found.append(f"the hash chain has {figures.chain_entries} entries, {figures.anchor_entries} were anchored")
    if figures.silent_seconds > MOST_SILENT_SECONDS:
        found.append(
            f"{figures.silent_seconds:.0f} s without an acknowledged write, at most {MOST_SILENT_SECONDS:.0f} s"
        )
    return found

"""Whether Prometheus' numbers can be believed at all: its clock, the gaps in what it has, its restarts."""

import math
from dataclasses import dataclass

from sluice.domain import Evidence, Monitoring
from sluice.policy import Policy, Trust


@dataclass(frozen=True)
class Doubts:
    """What fails the verdict, and what a reader should know."""

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def doubts(policy: Policy, evidence: Evidence) -> Doubts:
    """What stands against the measurements as a whole; nothing where the policy asks Prometheus for nothing."""
    limits, seen = policy.prometheus, evidence.monitoring
    if limits is None or not any(objective.kind in ("promql", "slo") for objective in policy.objectives):
        return Doubts()
    if seen is None:
        return Doubts(("nothing is known of Prometheus itself: its clock, its gaps and its restarts",))
    if seen.error:
        return Doubts((f"Prometheus could not be asked about itself: {seen.error}",))
    restarts, notes = _restarts(limits, seen, evidence)
    return Doubts((*_clock(limits, seen), *_gap(limits, seen), *restarts), tuple(notes))


def _clock(limits: Trust, seen: Monitoring) -> list[str]:
    skew, error = seen.clock_skew_seconds, seen.clock_error_seconds
    # Not `>`: what is NaN must not pass.
    if not abs(skew) + abs(error) <= limits.max_clock_skew:
        told = f"{skew:+.3g} s off the host's (known to {error:.2g} s)"
        return [
            f"the cluster's clock is {told}, at most {limits.max_clock_skew:g} s may be: windows are of another time"
        ]
    return []


def _gap(limits: Trust, seen: Monitoring) -> list[str]:
    if not seen.window_ended > seen.window_started:
        return [f"Prometheus was asked about a window of {seen.window_ended - seen.window_started:g} s"]
    if not seen.longest_gap_seconds <= limits.max_gap:
        gap = f"{seen.longest_gap_seconds:.3g} s of the window"
        return [
            f"Prometheus has nothing of {gap}, at most {limits.max_gap:g} s may be: what happened then is in no number"
        ]
    return []


def _restarts(limits: Trust, seen: Monitoring, evidence: Evidence) -> tuple[list[str], list[str]]:
    """Restarts that nobody ordered, and notes of those that a test did."""
    problems, notes = [], []
    if not seen.starts or not all(math.isfinite(start) for start in seen.starts):
        problems.append("it is not known since when Prometheus runs (process_start_time_seconds)")
    for start in seen.starts:
        if not seen.window_started < start <= seen.window_ended:
            continue
        into = f"Prometheus was started again {start - seen.window_started:.0f} s into the window"
        by = [
            test.id
            for test in evidence.tests
            if test.id.startswith(limits.restarts_by)
            and test.started - limits.max_clock_skew <= start <= test.started + test.seconds + limits.max_clock_skew
        ]
        if by:
            notes.append(f"{into}, by {by[0]}: what it has of the window is whole but for the gap")
        else:
            problems.append(f"{into}, and no test did it: what it counted before may be lost")
    return problems, notes

"""Deployments and the commits in them → the four figures that DORA measures delivery by.

Their definitions: DORA's software delivery metrics, https://dora.dev/guides/dora-metrics-four-keys/. What each is here
stands with its field below, and what that leaves out in docs/delivery.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from sluice.delivery.deployments import Deployment

DAY = 86_400.0


@dataclass(frozen=True)
class Commits:
    """What a deployment brought: when each of its commits was made; `unknown` says why that is not known."""

    at: tuple[float, ...] = ()
    unknown: str = ""


@dataclass(frozen=True)
class Figures:
    """A target's figures over the time from `since` to `until`, in seconds since the epoch; None is: there is none.

    `known_from`: where the ledger begins within that time, it is that, and frequency counts from there, over one day
    at least. Durations are seconds, `frequency` is deployments a day, `failure_rate` a share from 0 to 1.
    Lead time: from a commit to the end of the deployment that was verified with it; the median over commits.
    Recovery: from the failure's beginning to the next release that was verified; the median over those recovered.
    """

    target: str
    since: float
    until: float
    known_from: float | None
    deployments: int = 0
    frequency: float | None = None
    lead_time: float | None = None
    commits: int = 0
    commits_unknown: tuple[str, ...] = ()
    failed: int = 0
    failure_rate: float | None = None
    recovery_time: float | None = None
    recovered: int = 0
    unrecovered: int = 0
    by_hand: int = 0
    under_way: str = ""
    trend: tuple["Trend", ...] = field(default=())


@dataclass(frozen=True)
class Trend:
    """One of the figures over time; `name` as its plot is called, `unit` in the words of report/words.py."""

    name: str
    unit: str
    points: tuple[tuple[float, float], ...]


def figures(
    target: str,
    found: Sequence[Deployment],
    commits: Mapping[str, Commits],
    *,
    since: float,
    until: float,
    ledger_begins: float | None,
    under_way: str = "",
) -> Figures:
    """Return the figures of those deployments that ended after `since` and not after `until`.

    `commits` are by promotion; `ledger_begins` is the time of its first entry, None where it is empty.
    """
    inside = [one for one in found if since < one.ended <= until]
    known_from = None if ledger_begins is None or ledger_begins > until else max(since, ledger_begins)
    leads, unknown = lead_times(inside, commits)
    failed = [one for one in inside if one.failed]
    recoveries = [seconds for one in failed if (seconds := one.recovery_seconds) is not None]
    return Figures(
        target=target,
        since=since,
        until=until,
        known_from=known_from,
        deployments=len(inside),
        frequency=None if known_from is None else len(inside) / max(1.0, (until - known_from) / DAY),
        lead_time=median(leads) if leads else None,
        commits=len(leads),
        commits_unknown=tuple(unknown),
        failed=len(failed),
        failure_rate=len(failed) / len(inside) if inside else None,
        recovery_time=median(recoveries) if recoveries else None,
        recovered=len(recoveries),
        unrecovered=len(failed) - len(recoveries),
        by_hand=sum(one.by_hand for one in failed),
        under_way=under_way,
        trend=_trend(inside, commits, since, until, known_from),
    )


def lead_times(found: Sequence[Deployment], commits: Mapping[str, Commits]) -> tuple[list[float], list[str]]:
    """Return the lead time of every commit that a verified deployment brought, in seconds, and what is not known.

    One that was made after its deployment tells of two clocks, and nothing of a lead time.
    """
    leads: list[float] = []
    unknown: list[str] = []
    for one in found:
        if one.outcome != "verified":
            continue
        brought = commits.get(one.promotion, Commits(unknown="nobody looked"))
        if brought.unknown:
            unknown.append(f"{one.release_id}: {brought.unknown}")
        early = sum(at > one.ended for at in brought.at)
        if early:
            unknown.append(f"{one.release_id}: {early} of its commits are younger than its deployment")
        leads += [one.ended - at for at in brought.at if at <= one.ended]
    return leads, unknown


def _trend(
    inside: Sequence[Deployment],
    commits: Mapping[str, Commits],
    since: float,
    until: float,
    known_from: float | None,
) -> tuple[Trend, ...]:
    """The figures as they are drawn: day by day how much there was so far, and a point a deployment."""
    if known_from is None:
        return ()
    days = [since + number * DAY for number in range(1, int((until - since) / DAY) + 1)]
    ends = [*(day for day in days if known_from <= day < until), until]
    so_far = tuple((at, float(sum(one.ended <= at for one in inside))) for at in ends)
    bad = tuple((at, float(sum(one.failed and one.ended <= at for one in inside))) for at in ends)
    leads = [(one.ended, lead_times([one], commits)[0]) for one in inside]
    hours = tuple((at, median(found) / 3600) for at, found in leads if found)
    recovery = tuple((one.ended, seconds / 60) for one in inside if (seconds := one.recovery_seconds) is not None)
    return (
        Trend("Deployments so far", "", so_far),
        Trend("Failed deployments so far", "", bad),
        Trend("Lead time of a deployment's commits, the median", "h", hours),
        Trend("Recovery time of a failed deployment", "min", recovery),
    )

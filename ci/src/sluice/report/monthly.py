"""A month's SLOs as a page: what was attained, what is left, how it burned, and what nothing is known of."""

from collections.abc import Sequence
from itertools import groupby

from sluice.budgets.month import SloMonth, Span
from sluice.budgets.stages import BudgetPolicy
from sluice.domain import Series
from sluice.report import words
from sluice.report.plots import Limit
from sluice.report.sheet import Drawing, Section, Sheet, level_of
from sluice.report.tables import Cell, Table, badge, number

_ENOUGH = 0.995  # of the time; less than this is told
_NONE = "–"


def monthly_sheet(target: str, months: Sequence[SloMonth], when: Span, policy: BudgetPolicy, *, now: float) -> Sheet:
    """Return the page of a month on a target."""
    levels = [level(one, policy) for one in months]
    return Sheet(
        title=f"{when.name}, {target}",
        over="Service level objectives",
        level=level_of(["warn" if one == "unknown" else one for one in levels]),
        lines=tuple(_lines(months, when, policy)),
        facts=(
            ("Month", when.name if when.whole else f"{when.name}, as far as it went"),
            ("From", words.moment(when.start)),
            ("Up to", words.moment(when.end)),
            ("Made", words.moment(now)),
            ("Objectives", str(len(months))),
        ),
        sections=(
            Section("Objectives", _ABOUT, tables=(objectives_table(months, policy),)),
            Section("Error budget policy", _POLICY, tables=(_stages_table(months, policy),)),
            Section("Worst days", _WORST, tables=(_worst_table(months),)),
            Section("How the budgets burned", _BURN, drawings=tuple(_drawings(months, when, policy))),
        ),
    )


_ABOUT = (
    "Budgets of a calendar month in UTC, by occurrences: the allowed share of the events that the month had. Events are"
    " counted from what Prometheus recorded; what it has nothing of is neither good nor bad, and shown as not covered."
)
_POLICY = (
    "The stage goes by the budget of the 30 days up to the end of this page, as Prometheus records it, not by the"
    " calendar month. docs/error-budget-policy.md tells who decides what."
)
_WORST = "Of each objective the days that spent most of the month's budget; those that spent nothing are not here."
_BURN = "The share of the month's budget that is spent, hour by hour; a gap where nothing is known."


def level(one: SloMonth, policy: BudgetPolicy) -> str:
    """pass, warn, fail or unknown: the last stage of the policy, or a month that was not kept, is a fail.

    What was kept as far as is known, and is not known for all of the time, is a warning.
    """
    if one.rolling_left is None and one.spent is None:
        return "unknown"
    if one.stage == policy.stages[-1].name or one.met is False:
        return "fail"
    return "warn" if one.stage or one.coverage < _ENOUGH else "pass"


def _lines(months: Sequence[SloMonth], when: Span, policy: BudgetPolicy) -> list[str]:
    kept = sum(one.met is True for one in months)
    lost = [f"{one.service} {one.name}" for one in months if one.met is False]
    dark = [one for one in months if one.met is None]
    lines = [f"{kept} of {len(months)} objectives were kept{'' if when.whole else ' so far'}."]
    lines += [f"Not kept: {', '.join(lost)}."] if lost else []
    for stage in reversed(policy.stages):
        within = [f"{one.service} {one.name}" for one in months if one.stage == stage.name]
        lines += [f"Stage {stage.name}: {', '.join(within)}. {stage.then}"] if within else []
    silent = [f"{one.service} {one.name}" for one in dark if one.coverage > 0]
    lines += [f"Nothing happened that could be good or bad: {', '.join(silent)}."] if silent else []
    unseen = [f"{one.service} {one.name}" for one in dark if one.coverage <= 0]
    lines += [f"No data: {', '.join(unseen)}."] if unseen else []
    least = min((one.coverage for one in months), default=1.0)
    if least < _ENOUGH:
        lines.append(f"Data is there for a part of the time only, {_covered(least)} at least: the rest may be worse.")
    return lines


def objectives_table(months: Sequence[SloMonth], policy: BudgetPolicy) -> Table:
    """Return a row for each objective."""
    rows = [
        (
            Cell(f"{one.service} {one.name}", "name"),
            _badge(one, policy),
            number(_percent(one.objective)),
            Cell(_attained(one), "number", note=_of_the_time(one)),
            number(_share(one.spent)),
            number(_share(one.left)),
            number(f"{one.events:.0f}" if one.coverage else _NONE),
            number(f"{one.bad:.0f}" if one.coverage else _NONE),
            number(_covered(one.coverage)),
        )
        for one in months
    ]
    heads = ("Objective", "Level", "Promised", "Attained", "Budget spent", "Left", "Events", "Bad", "Covered")
    return Table("Objectives of the month", heads, tuple(rows))


def _badge(one: SloMonth, policy: BudgetPolicy) -> Cell:
    found = badge(level(one, policy))
    return Cell(found.text, found.kind, found.mark, f"stage {one.stage}" if one.stage else "")


def _attained(one: SloMonth) -> str:
    if one.attained is None:
        return "no data" if one.coverage <= 0 else "no events"
    # Never rounded up: 99.9996 % is no 100 %, and 99.896 % does not keep 99.9 %.
    return f"{int(one.attained * 1e6) / 1e4:.4f} %"


def _of_the_time(one: SloMonth) -> str:
    return f"of {_covered(one.coverage)} of the time" if one.attained is not None and one.coverage < _ENOUGH else ""


def _covered(share: float) -> str:
    """A share in percent, never rounded up to all nor down to nothing."""
    return "< 0.1 %" if 0 < share < 0.001 else f"{int(share * 1000) / 10:g} %"


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"


def _share(share: float | None) -> str:
    return _NONE if share is None else f"{100 * share:.1f} %"


def _stages_table(months: Sequence[SloMonth], policy: BudgetPolicy) -> Table:
    rows = []
    for stage in policy.stages:
        within = [
            f"{one.service} {one.name} ({_share(1 - one.rolling_left)} spent)"
            for one in months
            if one.stage == stage.name and one.rolling_left is not None
        ]
        told = ", ".join(within) or "none"
        rows.append((Cell(stage.name, "name"), number(f"{100 * stage.spent:g} %"), Cell(told), Cell(stage.then)))
    unknown = sum(one.rolling_left is None for one in months)
    note = f"Of {unknown} objectives the budget of 30 days is not known: no stage can be told." if unknown else ""
    return Table("Stages, and who is in them", ("Stage", "From spent", "Objectives", "Then"), tuple(rows), note)


def _worst_table(months: Sequence[SloMonth]) -> Table:
    rows = [
        (Cell(f"{one.service} {one.name}", "name"), Cell(day.date), number(_share(day.spent)), number(f"{day.bad:.0f}"))
        for one in months
        for day in one.worst
    ]
    note = "" if rows else "No day spent anything that is known of."
    return Table("Worst days", ("Objective", "Day", "Of the month's budget", "Bad events"), tuple(rows), note)


def _drawings(months: Sequence[SloMonth], when: Span, policy: BudgetPolicy) -> list[Drawing]:
    """A plot a service, its objectives as lines."""
    limits = tuple(
        Limit("fail" if stage == policy.stages[-1] else "warn", stage.spent, f"{stage.name} {100 * stage.spent:g} %")
        for stage in policy.stages
    )
    found = []
    for service, ones in groupby(months, key=lambda one: one.service):
        known = [one for one in ones if one.burn.points]
        series = tuple(Series({"slo": one.name}, one.burn.points) for one in known)
        found.append(Drawing(service, "ratio", series, (when.start, when.month_end), limits))
    return found

"""Delivery figures as a table and as a page."""

from collections.abc import Sequence

from sluice.delivery.figures import Figures
from sluice.domain import Series
from sluice.report import words
from sluice.report.sheet import Drawing, Section, Sheet
from sluice.report.tables import Cell, Table, number

_ABOUT = (
    "After DORA's definitions, computed of the targets' promotion ledgers; docs/delivery.md tells what each counts."
    " What there is none of is –, and no 0."
)
_NONE = "–"


def delivery_table(found: Sequence[Figures]) -> Table:
    """Return a row for each target."""
    rows = [
        (
            Cell(one.target, "name", note=_known(one)),
            number(str(one.deployments)),
            number(_NONE if one.frequency is None else f"{one.frequency:.3g} a day"),
            Cell(_duration(one.lead_time), "number", note=f"of {one.commits} commits" if one.commits else ""),
            Cell(_share(one.failure_rate), "number", note=f"{one.failed} failed" if one.failed else ""),
            Cell(_duration(one.recovery_time), "number", note=_recovered(one)),
        )
        for one in found
    ]
    heads = ("Target", "Deployments", "Frequency", "Lead time", "Change failure rate", "Recovery time")
    return Table("Delivery figures", heads, tuple(rows))


def remarks(found: Sequence[Figures]) -> list[str]:
    """Return what a reader has to know of the figures."""
    said = []
    for one in found:
        said += [f"{one.target}: nothing was ever promoted to it"] if one.known_from is None else []
        said += [f"{one.target}: a promotion is under way and not counted: {one.under_way}"] if one.under_way else []
        said += [f"{one.target}: no lead time of {line}" for line in one.commits_unknown]
        if one.by_hand:
            said.append(
                f"{one.target}: {one.by_hand} of the failed were verified and rolled back by hand later: their recovery"
                " is counted from the rollback's beginning, what users saw before that no ledger knows"
            )
    return said


def delivery_sheet(found: Sequence[Figures]) -> Sheet:
    """Return the page of targets, over the same time each."""
    since, until = found[0].since, found[0].until
    return Sheet(
        title=", ".join(one.target for one in found),
        over="Delivery figures",
        level="warn" if any(one.unrecovered for one in found) else "pass",
        lines=tuple(remarks(found)) or ("Nothing was left out.",),
        facts=(
            ("From", words.moment(since)),
            ("Up to", words.moment(until)),
            ("Targets", str(len(found))),
        ),
        sections=(
            Section("Figures", _ABOUT, tables=(delivery_table(found),)),
            *(Section(one.target, drawings=tuple(_drawings(one))) for one in found if one.trend),
        ),
    )


def _drawings(one: Figures) -> list[Drawing]:
    return [
        Drawing(trend.name, trend.unit, (Series({}, trend.points),) if trend.points else (), (one.since, one.until))
        for trend in one.trend
    ]


def _known(one: Figures) -> str:
    if one.known_from is None:
        return "its ledger is empty"
    return f"its ledger begins {words.moment(one.known_from)}" if one.known_from > one.since else ""


def _recovered(one: Figures) -> str:
    open_ = f"{one.unrecovered} not recovered" if one.unrecovered else ""
    return ", ".join(filter(None, (f"of {one.recovered}" if one.recovered else "", open_)))


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    return words.duration(seconds) if seconds < 2 * 86_400 else f"{seconds / 86_400:.1f} days"


def _share(share: float | None) -> str:
    return _NONE if share is None else f"{100 * share:.3g} %"

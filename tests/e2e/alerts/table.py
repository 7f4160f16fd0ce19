"""The drills' table for the evidence."""

from collections.abc import Iterable

from tests.e2e.alerts.drill import Outcome

from sluice.domain import SuiteTable

COLUMNS = ("alert", "severity", "fault", "pending", "firing", "told", "resolved", "told of it", "outcome")
NOTE = (
    "Seconds from the fault until the alert was pending, until it was firing and until all receivers of its severity "
    "were told; and from the fault's end until it was inactive and until they were told so. The rules' own times are "
    "shortened for the suites: `for` to 10 s, windows of minutes to 1 m. An alert without `for` is never pending."
)


def table(outcomes: Iterable[Outcome], name: str, title: str) -> SuiteTable:
    """One row a drill, pages first."""
    rows = tuple(
        (
            one.drill.alert,
            one.drill.severity,
            one.drill.says,
            *map(_seconds, (one.pending, one.firing, one.told, one.resolved, one.told_resolved)),
            one.failure or "as it should",
        )
        for one in sorted(outcomes, key=lambda one: (one.drill.severity, one.drill.alert))
    )
    return SuiteTable(name, title, COLUMNS, rows, NOTE)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} s"

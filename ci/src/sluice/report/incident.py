"""A timeline for the terminal."""

from sluice.incident.model import Incident
from sluice.report import words
from sluice.report.tables import Cell, Table


def timeline_table(incident: Incident) -> Table:
    """Return a row for each thing that happened, and what could not be asked below them."""
    rows = tuple(
        (
            Cell(words.moment(one.at)),
            Cell(one.kind),
            Cell(one.where),
            Cell(one.what, note=f"until {words.moment(one.until)}" if one.until is not None else ""),
        )
        for one in incident.timeline
    )
    missing = "; ".join(f"{one.what}: {one.why}" for one in incident.missing)
    note = f"Could not be asked: {missing}" if missing else ""
    return Table(f"What happened: {incident.of}", ("When", "Kind", "Where", "What"), rows, note)

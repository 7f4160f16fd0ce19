"""Readiness as a page, and as tables for the terminal."""

from collections.abc import Sequence

from sluice.readiness.model import ItemResult, Readiness, SectionScore
from sluice.report import words
from sluice.report.sheet import Section, Sheet
from sluice.report.tables import Cell, Table, badge, number

_MOST = 12  # faults of an item that are shown; readiness.json has them all
# A badge's colour is its word's; these are what the report has colours for.
_SHOWN = {
    "passed": badge("passed"),
    "confirmed": Cell("passed", "badge passed", "✓", "confirmed"),
    "failed": badge("failed"),
    "unchecked": Cell("error", "badge error", "✗", "could not be checked"),
    "unconfirmed": Cell("skipped", "badge skipped", "–", "not confirmed"),
}


def sheet_of(readiness: Readiness) -> Sheet:
    """Return the page: what the target comes to, its sections, what is against each item, and who confirmed what."""
    items = readiness.items
    met = sum(item.counts for item in items)
    level = "fail" if not readiness.enough else "pass" if met == len(items) else "warn"
    asked = f"{readiness.required:g} are asked for" if readiness.required else "none are asked for"
    title = {"pass": "Ready", "warn": "Ready as far as is asked for", "fail": "Not ready"}[level]
    lines = [
        f"{readiness.score:g} of 100 points; {asked} (readiness.score in targets/{readiness.target}.toml).",
        *(f"{item.id}: {_short(item.wrong)}" for item in _worst(items)[:5]),
    ]
    facts = [
        ("Target", readiness.target),
        ("Looked at", words.moment(readiness.at)),
        ("Items met", f"{met} of {len(items)}"),
        *((f"Not asked: {source}", why) for source, why in readiness.missing.items()),
    ]
    return Sheet(
        title,
        f"Production readiness of {readiness.target}",
        level,  # type: ignore[arg-type]
        tuple(lines),
        tuple(facts),
        (
            Section("Sections", _HOW, (sections_table(readiness),)),
            *(Section(one.title, f"{one.score:g} of 100 points.", (_items_table(one),)) for one in readiness.sections),
        ),
    )


_HOW = (
    "Points are the weights of what passed or is confirmed, of the weights of all items. What could not be checked, is "
    "not confirmed, or whose confirmation is over, counts as what failed does."
)


def sections_table(readiness: Readiness) -> Table:
    """Return a row for each section, and the whole."""
    rows = [
        (
            Cell(one.title, "name"),
            number(f"{one.score:g}"),
            number(str(one.weight)),
            *(number(str(_count(one.items, state))) for state in _SHOWN),
        )
        for one in readiness.sections
    ]
    whole = (
        Cell("All", "name"),
        number(f"{readiness.score:g}"),
        number(str(sum(one.weight for one in readiness.sections))),
        *(number(str(_count(readiness.items, state))) for state in _SHOWN),
    )
    heads = ("Section", "Points", "Weight", "Passed", "Confirmed", "Failed", "Not checked", "Not confirmed")
    return Table("Points of 100 by section", heads, (*rows, whole))


def against_table(readiness: Readiness) -> Table:
    """Return what a machine found against the target, the heaviest first; below it what nobody was asked for."""
    found = _worst([item for item in readiness.items if item.by == "machine"])
    asked = [item for item in found if not (item.state == "unchecked" and _unasked(item, readiness))]
    rows = tuple(
        (Cell(item.id, "code"), number(str(item.weight)), _SHOWN[item.state], Cell(_short(item.wrong)))
        for item in asked
    )
    left = len(found) - len(asked)
    why = "; ".join(f"{source}: {reason}" for source, reason in readiness.missing.items())
    note = f"{left} more could not be checked, and count as failed. {why}" if left else ""
    return Table("What is against it", ("Item", "Weight", "State", "Why"), rows, note)


def _unasked(item: ItemResult, readiness: Readiness) -> bool:
    return all(one.partition(":")[0] in readiness.missing for one in item.wrong)


def people_table(readiness: Readiness) -> Table:
    """Return what people have to confirm, and who did."""
    rows = tuple(
        (
            Cell(item.id, "code"),
            number(str(item.weight)),
            _SHOWN[item.state],
            Cell(item.what),
            Cell(f"{item.who}, {words.moment(item.confirmed)}" if item.who else ""),
            Cell(words.moment(item.until) if item.who else ""),
        )
        for item in readiness.items
        if item.by == "person"
    )
    return Table("What a person confirms", ("Item", "Weight", "State", "What", "Who and when", "Until"), rows)


def _items_table(section: SectionScore) -> Table:
    rows = []
    for item in section.items:
        left = len(item.wrong) - _MOST
        told = "; ".join(item.wrong[:_MOST]) + (f"; and {left} more" if left > 0 else "")
        by = "a machine" if item.by == "machine" else "a person"
        if item.who:
            by = f"{item.who}, {words.moment(item.confirmed)}, until {words.moment(item.until)}"
        rows.append(
            (
                Cell(item.what, "name", note=item.id),
                _SHOWN[item.state],
                number(str(item.weight)),
                Cell(by),
                Cell(told or item.seen, note=item.seen if told else ""),
            )
        )
    return Table(f"Items of {section.title.lower()}", ("Item", "State", "Weight", "By", "Seen"), tuple(rows))


def _worst(items: Sequence[ItemResult]) -> list[ItemResult]:
    """What failed, heaviest first; then what could not be looked at."""
    order = {"failed": 0, "unchecked": 1, "unconfirmed": 2}
    return sorted((item for item in items if not item.counts), key=lambda item: (order[item.state], -item.weight))


def _count(items: Sequence[ItemResult], state: str) -> int:
    return sum(item.state == state for item in items)


def _short(wrong: Sequence[str]) -> str:
    return (wrong[0] if wrong else "") + (f"; and {len(wrong) - 1} more" if len(wrong) > 1 else "")

"""A page of tables and plots that is no run's: an SLO report, delivery figures. One file that needs nothing else.

Public: `render`, and `printed` for the same tables in a terminal. The look is the report's, page.css; the order is in
sheet.html.j2. Every text is stripped of control characters and escaped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from markupsafe import Markup
from rich.table import Table as Printed
from rich.text import Text

from sluice.domain import Series
from sluice.report import plots, words
from sluice.report.marks import Marks
from sluice.report.tables import MARKS, Table, rewritten
from sluice.report.templates import TEMPLATES, styles

_POINTS = 400


@dataclass(frozen=True)
class Drawing:
    """Series to draw over calendar time; `span` is what is shown, in seconds since the epoch. `note` stands below."""

    name: str
    unit: str
    series: tuple[Series, ...]
    span: tuple[float, float]
    limits: tuple[plots.Limit, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    drawings: tuple[Drawing, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A page: what it is about, what it comes to, facts, and its parts."""

    title: str
    over: str
    level: Literal["pass", "warn", "fail"]
    lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class _Drawn:
    name: str
    svg: Markup | None
    names: tuple[str, ...]
    left_out: int
    note: str


def render(sheet: Sheet) -> str:
    """Return the page."""
    sheet = cast("Sheet", rewritten(sheet, words.printable))
    drawn = [
        [_draw(one, f"plot{number}-{index}") for index, one in enumerate(section.drawings)]
        for number, section in enumerate(sheet.sections)
    ]
    return TEMPLATES.get_template("sheet.html.j2").render(
        style=styles("page.css"),
        sheet=sheet,
        mark=MARKS[sheet.level],
        sections=list(zip(sheet.sections, drawn, strict=True)),
    )


def printed(table: Table) -> Printed:
    """Return a table for the terminal."""
    found = Printed(title=table.caption, title_justify="left", caption=table.note or None, caption_justify="left")
    for column in table.columns:
        found.add_column(column, overflow="fold")
    for row in table.rows:
        told = (f"{one.mark} {one.text}".strip() + (f", {one.note}" if one.note else "") for one in row)
        found.add_row(*(Text(words.printable(one)) for one in told))
    return found


def _draw(one: Drawing, ident: str) -> _Drawn:
    start, end = one.span
    plot = plots.plot(
        one.series,
        name=one.name,
        unit=one.unit,
        marks=Marks(start),
        ident=ident,
        limits=one.limits,
        span=one.span,
        points=_POINTS,
        clock=_dated(start, end - start),
        over="time",
    )
    if plot is None:
        return _Drawn(one.name, None, (), 0, one.note)
    return _Drawn(one.name, Markup(plot.svg), plot.names, plot.left_out, one.note)  # plots.py escapes every text


def _dated(start: float, seconds: float) -> Callable[[float], str]:
    """What an axis says: days, and hours where there are few of them."""
    form = "%b %d" if seconds > 3 * 86_400 else "%d %H:%M"
    return lambda after: datetime.fromtimestamp(start + after, UTC).strftime(form)


def level_of(levels: Sequence[str]) -> Literal["pass", "warn", "fail"]:
    """Return the worst of levels; pass where there is none."""
    return "fail" if "fail" in levels else "warn" if "warn" in levels else "pass"

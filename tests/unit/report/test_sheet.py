"""Pages of tables and plots: dates on the axis, texts that are no markup, and the same tables in a terminal."""

import io
import re
import xml.etree.ElementTree as ET

from rich.console import Console

from sluice.domain import Series
from sluice.report.plots import Limit
from sluice.report.sheet import Drawing, Section, Sheet, level_of, printed, render
from sluice.report.tables import Cell, Table, badge

START, DAY = 1_793_491_200.0, 86_400.0  # 2026-11-01
HOSTILE = "<script>x</script> \x1b[31m"
TABLE = Table("Things", ("What", "Level"), ((Cell(HOSTILE, "name", note="a note"), badge("fail")),))


def page(*drawings: Drawing, level: str = "warn") -> str:
    section = Section("Part", HOSTILE, (TABLE,), drawings)
    return render(Sheet(HOSTILE, "Over", level, (HOSTILE,), (("Fact", HOSTILE),), (section,)))  # type: ignore[arg-type]


def drawing(days: float, **changed: object) -> Drawing:
    points = tuple((START + DAY * days * number / 10, float(number)) for number in range(11))
    given: dict[str, object] = {"name": "lines", "unit": "h", "series": (Series({"s": "a"}, points),)}
    return Drawing(**given | {"span": (START, START + days * DAY)} | changed)  # type: ignore[arg-type]


def axis(text: str) -> list[str]:
    """What the first plot's axis says."""
    return re.findall(r'class="tick at"[^>]*>([^<]*)<', text)


def test_a_month_has_days_on_its_axis_and_a_day_has_hours() -> None:
    assert axis(page(drawing(30)))[:2] == ["Nov 01", "Nov 06"]
    assert axis(page(drawing(1)))[:2] == ["01 00:00", "01 04:00"]


def test_a_plot_says_in_words_what_it_counts_over() -> None:
    assert '<title id="plot0-0-t">lines in h over time</title>' in page(drawing(30))


def test_limits_are_drawn_and_a_plot_without_points_says_so() -> None:
    assert 'class="limit fail"' in page(drawing(30, limits=(Limit("fail", 5.0, "all of it"),)))
    assert "Nothing to draw." in page(drawing(30, series=()))


def test_several_lines_have_a_legend() -> None:
    two = tuple(Series({"s": name}, ((START, 1.0), (START + DAY, 2.0))) for name in ("a", "b"))
    assert page(drawing(30, series=two)).count('<li><svg width="26"') == 2


def test_nothing_that_is_told_is_markup_or_steers_a_terminal() -> None:
    text = page(drawing(30, name=HOSTILE, note=HOSTILE))
    assert "<script" not in text
    assert "\x1b" not in text
    assert "default-src 'none'" in text


def test_the_page_is_well_formed() -> None:
    text = page(drawing(30)).replace("<!doctype html>", "")
    text = re.sub(r"<(meta|link)([^>]*)>", r"<\1\2/>", text)
    assert ET.fromstring(text).tag == "html"


def test_the_same_table_in_a_terminal() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(printed(TABLE))
    told = console.export_text()
    assert "✗ fail" in told
    assert "a note" in told
    assert "\x1b" not in told


def test_the_worst_level_counts() -> None:
    assert [level_of(one) for one in (["pass", "fail", "warn"], ["warn", "pass"], ["pass"], [])] == [
        "fail",
        "warn",
        "pass",
        "pass",
    ]

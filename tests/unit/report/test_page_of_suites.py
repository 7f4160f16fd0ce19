"""What suites measured."""

from dataclasses import replace

from tests.unit.report import samples
from tests.unit.report.test_page import Page

from sluice.domain import SuiteTable
from sluice.report.page import render

TABLE = SuiteTable(
    "panels", "Panels and their data", ("Panel", "Data"), (("Requests", "<b>3</b> series"), ("Errors", "0")), "A note."
)
RUN = replace(samples.sound(), tables=(TABLE,))


def test_a_table_of_a_suite_is_shown_as_it_is() -> None:
    found = Page(render(RUN, samples.verdict(RUN), {}))
    assert "Panels and their data" in found.said("caption")
    assert "<b>3</b> series" in found.said("td")
    assert "Requests" in found.said("th")
    assert "A note." in found.text
    assert "#measured" in [link.get("href") for link in found.of("a")]


def test_a_long_table_is_cut_and_says_so() -> None:
    rows = tuple((f"panel {number}", "1") for number in range(450))
    run = replace(RUN, tables=(replace(TABLE, rows=rows),))
    found = Page(render(run, samples.verdict(run), {}))
    assert "A note. 50 rows more are in evidence.json." in found.text
    assert "panel 399" in found.text
    assert "panel 400" not in found.text


def test_without_tables_there_is_no_section_of_them() -> None:
    run = replace(RUN, tables=())
    assert "Measured by suites" not in render(run, samples.verdict(run), {})

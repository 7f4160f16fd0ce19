"""report.html as a browser shows it: by itself, on a phone, printed, by keyboard, to a screen reader, dark or light."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from tests.contract.report.conftest import DESK, PHONE, Report
from tests.unit.report import samples

pytestmark = pytest.mark.contract

# Each run, width and scheme is among them twice.
MIXED = [
    pytest.param((run, size, scheme), id=f"{run}-{size[0]}px-{scheme}")
    for run, size, scheme in (
        ("sound", PHONE, "dark"),
        ("sound", DESK, "light"),
        ("broken", PHONE, "light"),
        ("broken", DESK, "dark"),
    )
]
RUNS = [pytest.param((run, DESK, "light"), id=run) for run in ("sound", "broken")]
BROKEN = [pytest.param(("broken", DESK, "light"), id="broken")]


@pytest.mark.parametrize("report", RUNS, indirect=True)
def test_it_is_quiet_and_asks_nobody_for_anything(report: Report) -> None:
    report.unfold()
    report.page.mouse.wheel(0, 20_000)
    report.page.wait_for_load_state("networkidle")
    assert report.said == []
    assert [url for url in report.asked if not url.startswith("data:")] == [report.url]


def test_its_own_policy_keeps_a_script_and_a_picture_out(browser: Browser, files: dict[str, Any]) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text))
    page.goto(files["sound"].as_uri())
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
    )
    assert page.evaluate("window.ran") is None
    assert len([text for text in said if "Content Security Policy" in text]) == 2
    page.close()


@pytest.mark.parametrize("report", MIXED, indirect=True)
def test_no_page_scrolls_sideways(report: Report) -> None:
    for _ in range(2):
        wide, room = report.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, _beyond(report)
        report.unfold()


def _beyond(report: Report) -> list[str]:
    """The elements that reach beyond the right edge."""
    found: list[str] = report.page.evaluate(
        """[...document.querySelectorAll('body *')]
        .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.scroll, nav ul, pre'))
        .map(one => one.tagName + '.' + one.getAttribute('class') + ' ' + one.textContent.slice(0, 40))"""
    )
    return found


@pytest.mark.parametrize("report", MIXED, indirect=True)
def test_axe_finds_nothing(report: Report) -> None:
    for _ in range(2):
        found = Axe().run(report.page, options={"resultTypes": ["violations"]}).response["violations"]
        assert _told(found) == []
        report.unfold()


def _told(violations: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in violations
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("report", MIXED, indirect=True)
def test_a_screen_reader_finds_landmarks_headings_tables_and_plots(report: Report) -> None:
    page = report.page
    for landmark in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("navigation", name="Sections")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_accessible_name(re.compile(r"^Verdict (Pass|Fail)$"))
    # What Chromium itself tells of the table, which stays one where its rows are cards.
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    nodes = {node["nodeId"]: node for node in tree}
    table = next(
        node
        for node in tree
        if (_said(node, "role"), _said(node, "name")) == ("table", "Objectives: value, criterion, score and reason")
    )
    roles = Counter(_said(node, "role") for node in _below(table, nodes))
    objectives = len(samples.POLICY.objectives)
    assert (roles["row"], roles["rowheader"]) == (1 + objectives, objectives)
    assert roles["columnheader"] >= 7
    plot = page.get_by_role("img", name=re.compile("^p95-latency in seconds"))
    expect(plot).to_have_accessible_description(re.compile("backend: from .* Suites ran: api"))


def _said(node: dict[str, Any], what: str) -> str:
    return str(node.get(what, {}).get("value", ""))


def _below(node: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for child in node.get("childIds", ()):
        if child in nodes:
            yield nodes[child]
            yield from _below(nodes[child], nodes)


@pytest.mark.parametrize("report", BROKEN, indirect=True)
def test_the_keyboard_reaches_everything_in_order(report: Report) -> None:
    page = report.page
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the evidence")
    expect(page.locator(":focus")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    seen: list[int] = []
    while True:
        page.keyboard.press("Tab")
        place, hidden = page.evaluate(
            """[[...document.querySelectorAll('body *')].indexOf(document.activeElement),
            document.activeElement.getBoundingClientRect().width < 2]"""
        )
        if place <= 0 or place in seen:
            break
        assert not hidden, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        seen.append(place)
    assert seen == sorted(seen)
    folded = page.evaluate("[...document.querySelectorAll('main summary')].filter(one => one.checkVisibility()).length")
    assert len(seen) >= folded


@pytest.mark.parametrize("report", BROKEN, indirect=True)
def test_a_folded_part_opens_by_keyboard_and_focus_can_be_seen(report: Report) -> None:
    suite = report.page.locator("details.suite:not([open]) > summary").first
    suite.focus()
    report.page.keyboard.press("Shift+Tab")
    report.page.keyboard.press("Tab")
    assert float(suite.evaluate("one => getComputedStyle(one).outlineWidth").removesuffix("px")) >= 2
    table = report.page.locator("details.suite:not([open]) table").first
    name = table.locator("caption").text_content()
    expect(table).to_be_hidden()
    report.page.keyboard.press("Enter")
    expect(report.page.get_by_role("table", name=name or "")).to_be_visible()


@pytest.mark.parametrize("report", BROKEN, indirect=True)
def test_a_link_of_the_sections_leads_there_below_the_bar_that_stays(report: Report) -> None:
    page = report.page
    for link in page.locator("nav a").all():
        link.click()
        heading = page.locator(f"{link.get_attribute('href')} h2").first
        expect(heading).to_be_in_viewport()
        bar, top = page.evaluate("document.querySelector('nav').getBoundingClientRect().bottom"), heading.bounding_box()
        assert top
        assert top["y"] >= bar


@pytest.mark.parametrize("report", BROKEN, indirect=True)
def test_failed_tests_stand_out_in_every_plot(report: Report) -> None:
    plots = report.page.locator("#measurements svg.plot").all()
    assert len(plots) == 3
    for plot in plots:
        bounds = plot.bounding_box()
        windows = [one.bounding_box() for one in plot.locator("g.bad rect").all()]
        assert bounds
        assert len(windows) == 3
        for window in windows:
            assert window
            assert window["width"] >= 1.5
            assert window["height"] >= 100
            assert bounds["x"] <= window["x"] <= bounds["x"] + bounds["width"]
        assert plot.locator("g.flaky rect").count() == 1
        line = plot.locator("path.line").first.bounding_box()
        assert line
        assert line["width"] > 0.5 * bounds["width"], "lines are drawn over the plot, not in a corner of it"


@pytest.mark.parametrize("report", BROKEN, indirect=True)
def test_a_print_is_light_whole_where_it_matters_and_as_wide_as_paper(report: Report) -> None:
    page = report.page
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins, in CSS pixels
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("navigation")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 31, 38)"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    # Paper is not as narrow as a phone: a table's heads are there, and its rows are rows.
    expect(page.locator("#objectives thead")).to_be_visible()
    assert page.locator("#objectives tbody tr").first.evaluate("one => getComputedStyle(one).display") == "table-row"
    seen = "one => one.checkVisibility({contentVisibilityAuto: true})"
    # A suite's table and what was going on around a failed test are opened; logs and dashboards stay folded.
    assert page.locator("details.suite:not([open]) table").first.evaluate(seen)
    assert page.locator("#failed details.prints pre").first.evaluate(seen)
    assert not page.locator("#logs pre").first.evaluate(seen)
    assert not page.locator("#dashboards svg.plot").first.evaluate(seen)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), _beyond(report)


@pytest.mark.parametrize("report", BROKEN, indirect=True)
def test_the_dark_scheme_is_dark(report: Report) -> None:
    light = report.page.evaluate("getComputedStyle(document.body).backgroundColor")
    report.page.emulate_media(color_scheme="dark")
    dark = report.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert [_brightness(colour) > 128 for colour in (light, dark)] == [True, False]


def _brightness(colour: str) -> float:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

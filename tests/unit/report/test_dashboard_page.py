"""Dashboards on the page: every panel with what it shows, and nothing from outside is markup on it."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.dashboards import samples
from tests.unit.report import samples as report
from tests.unit.report.test_page import Page

from sluice.dashboards import DashboardData
from sluice.domain import Series, TestResult
from sluice.report.dashboard import level
from sluice.report.page import render

RUN = replace(
    report.sound(),
    started=samples.START,
    tests=(TestResult("tests/e2e/api/test_a.py::test_a", "api", "passed", samples.START + 10, 5.0),),
    measurements=(),
)


def html(*boards: DashboardData) -> str:
    """The section of dashboards."""
    page = render(RUN, report.verdict(RUN), {}, dashboards=boards or (samples.data(),))
    return page[page.index('<section id="dashboards"') : page.index('<section id="images"')]


def articles(text: str) -> dict[str, str]:
    """The text of each panel, by its title."""
    found = re.findall(r"<article.*?<h5[^>]*>(.*?)</h5>(.*?)</article>", text, re.DOTALL)
    return {title: " ".join(Page(f"<p>{body}</p>").text.split()) for title, body in found}


def test_a_dashboard_is_folded_and_says_what_is_in_it() -> None:
    found = Page(html())
    assert [one for one in found.of("details") if one.get("class") == "dashboard"] == [
        {"class": "dashboard", "id": "dashboard-example"}
    ]
    summary = " ".join(found.said("summary"))
    assert summary.startswith("Example 6 panels, 1 not answered, 1 without data")
    page = render(RUN, report.verdict(RUN), {}, dashboards=[samples.data()])
    assert "#dashboards" in [link.get("href") for link in Page(page).of("a")]


def test_two_dashboards_have_no_id_in_common() -> None:
    other = replace(samples.data(), dashboard=replace(samples.data().dashboard, uid="another"))
    ids = [attributes["id"] for _, attributes in Page(html(samples.data(), other)).elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 20


def test_every_panel_is_there_in_its_row_with_what_it_shows() -> None:
    text = html()
    found = articles(text)
    assert list(found) == ["Latency", "Ready", "Routes", "Lines", "Silent", "Broken"]
    assert Page(text).said("h4") == ["Row", "Other", "Row"]
    assert "<b> 200 ms a 100 ms" in found["Latency"]
    assert "(a warning from 250 ms, bad from 500 ms)" in found["Latency"]
    assert "Runbook: Slow Query and runbooks of Latency up helm/monitoring/runbooks/Slow.md" in found["Latency"]
    assert found["Ready"].startswith("75 % ! warn")
    assert "GET / 4 req/s PUT / 1 req/s 3 more are not shown" in found["Routes"]
    assert "<script> two" in found["Lines"]
    assert "No data in this run." in found["Silent"]
    assert "Prometheus refused: <parse error>" in found["Broken"]
    assert "No data in this run." not in found["Broken"]


def test_what_is_empty_and_what_failed_is_told_at_the_top() -> None:
    text = Page(html()).text
    assert "Without data in this run: Silent" in text
    assert "Not answered: Broken" in text


def test_a_graph_shows_the_suites_and_the_limits_that_are_near() -> None:
    text = html()
    assert "suite api" in text
    assert text.count('class="limit warn"') == 2  # a line and its words; 500 ms is near too, as 3 times 200 ms
    far = samples.data()
    low = replace(far.panels[0], series=(Series({"legend": "a"}, ((samples.START, 0.01), (samples.END, 0.02))),))
    drawn = html(replace(far, panels=(low,)))
    assert 'class="limit ' not in drawn
    assert "bad from 500 ms" in drawn


def test_milliseconds_are_shown_as_seconds() -> None:
    data = samples.data()
    slow = replace(samples.panel("Slow", "stat", unit="ms"), limits=(250.0, 1000.0))
    one = replace(data.panels[1], panel=slow, series=(Series({"legend": ""}, ((samples.END, 1500.0),)),))
    found = articles(html(replace(data, panels=(one,))))
    assert found["Slow"].startswith("1.5 s ✗ fail")


@pytest.mark.parametrize(
    ("value", "limits", "falling", "expected"),
    [
        (5.0, (), False, ""),
        (0.0, (1.0, 3.0), False, "pass"),
        (1.0, (1.0, 3.0), False, "warn"),
        (3.0, (1.0, 3.0), False, "fail"),
        (1.0, (0.5, 1.0), True, "pass"),
        (0.7, (0.5, 1.0), True, "warn"),
        (0.4, (0.5, 1.0), True, "fail"),
        (0.9, (1.0,), True, "fail"),
        (1.0, (1.0,), True, "pass"),
        (1.0, (1.0,), False, "fail"),
    ],
)
def test_a_value_has_grafanas_level(value: float, limits: tuple[float, ...], falling: bool, expected: str) -> None:
    assert level(value, limits, falling=falling) == expected


def test_what_the_mask_knows_is_on_no_dashboard() -> None:
    data = samples.data()
    panels = tuple(
        replace(
            one,
            asked=(report.SECRET,),
            lines=(report.SECRET,),
            error=report.SECRET,
            series=tuple(replace(line, labels={"legend": report.SECRET}) for line in one.series),
        )
        for one in data.panels
    )
    told = replace(data, panels=panels, values={"service": report.SECRET})

    def page(mask: Callable[[str], str]) -> str:
        return render(RUN, report.verdict(RUN), {}, dashboards=[told], mask=mask)

    assert page(lambda text: text).count(report.SECRET) > 10
    assert report.SECRET not in page(lambda text: text.replace(report.SECRET, "***"))

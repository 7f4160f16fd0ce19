"""The four figures, computed by hand, and what there is none of."""

import math

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as older_text
from tests.unit.delivery.books import DAY, HOUR, Book

from sluice.delivery.deployments import deployments
from sluice.delivery.exposition import exposition
from sluice.delivery.figures import Commits, Figures, figures
from sluice.report.delivery import delivery_sheet, delivery_table, remarks
from sluice.report.sheet import render

# Ten days. A at 1 d, B at 2 d rolls itself back within 120 s, C at 4 d is rolled back by hand at 5 d, D at 8 d stands.
BOOK = (
    Book()
    .had("A", DAY)
    .had("B", 2 * DAY, "planned", "copied", "deployed", "rolled-back")
    .had("C", 4 * DAY)
    .back("A", 5 * DAY)
    .had("D", 8 * DAY)
)
COMMITS = {
    "p1": Commits((DAY + 180 - 10 * HOUR,)),
    "p3": Commits((4 * DAY + 180 - 2 * HOUR, 4 * DAY + 180 - 4 * HOUR)),
    "p5": Commits((8 * DAY + 180 - 24 * HOUR,)),
}


def of(
    book: Book = BOOK,
    commits: dict[str, Commits] = COMMITS,
    *,
    since: float = 0.0,
    until: float = 10 * DAY,
    under_way: str = "",
) -> Figures:
    begins = book.entries[0].at if book.entries else None
    found = deployments(book.entries)
    return figures("gke", found, commits, since=since, until=until, ledger_begins=begins, under_way=under_way)


def test_the_four_figures() -> None:
    found = of()
    assert found.deployments == 4
    assert found.frequency == pytest.approx(4 / 9)  # the ledger begins after a day of the ten
    assert found.known_from == DAY
    assert found.lead_time == pytest.approx(7 * HOUR)  # of 2, 4, 10 and 24 hours
    assert found.commits == 4
    assert (found.failed, found.failure_rate) == (2, 0.5)
    assert (found.recovery_time, found.recovered, found.unrecovered) == (150.0, 2, 0)  # 120 s and 180 s
    assert found.by_hand == 1


def test_only_what_ended_within_the_time_counts() -> None:
    found = of(since=3 * DAY, until=6 * DAY)
    assert (found.deployments, found.frequency, found.known_from) == pytest.approx((1, 1 / 3, 3 * DAY))
    assert (found.failed, found.recovery_time) == (1, 180.0)
    assert of(since=8 * DAY + 180).deployments == 0, "its begin is not in it"
    assert of(since=8 * DAY + 179, until=8 * DAY + 180).deployments == 1, "its end is"


def test_an_empty_ledger_has_no_figures_at_all() -> None:
    found = of(Book(), {})
    assert (found.deployments, found.frequency, found.lead_time, found.failure_rate) == (0, None, None, None)
    assert (found.recovery_time, found.known_from, found.trend) == (None, None, ())
    assert remarks([found]) == ["gke: nothing was ever promoted to it"]


def test_no_deployment_within_the_time_is_a_frequency_of_0_and_no_failure_rate() -> None:
    found = of(since=8.5 * DAY)
    assert (found.deployments, found.frequency, found.failure_rate) == (0, 0.0, None)


def test_a_ledger_of_an_hour_is_no_reason_to_speak_of_24_a_day() -> None:
    assert of(Book().had("A", 10 * DAY - HOUR), {}).frequency == 1.0


def test_commits_that_are_not_known_are_named_and_others_count() -> None:
    found = of(commits=COMMITS | {"p3": Commits(unknown="git has not both revisions here")})
    assert found.lead_time == 17 * HOUR  # of 10 and 24 hours
    assert found.commits_unknown == ("id-C: git has not both revisions here",)
    assert of(commits={}).lead_time is None
    assert len(of(commits={}).commits_unknown) == 3


def test_a_commit_that_is_younger_than_its_deployment_is_no_lead_time() -> None:
    found = of(commits=COMMITS | {"p1": Commits((DAY + 181.0, DAY + 180.0))})
    assert found.commits == 4  # 0 s, 2, 4 and 24 hours
    assert found.lead_time == 3 * HOUR
    assert found.commits_unknown == ("id-A: 1 of its commits are younger than its deployment",)


def test_what_failed_and_is_not_over_has_no_recovery_time_and_is_counted() -> None:
    found = of(Book().had("A", DAY, "planned", "copied", "failed"), {})
    assert (found.failure_rate, found.recovery_time, found.unrecovered) == (1.0, None, 1)
    assert "1 not recovered" in [cell.note for cell in delivery_table([found]).rows[0]]


def test_the_trend_counts_up_day_by_day() -> None:
    so_far, bad, leads, recoveries = of().trend
    assert [value for _, value in so_far.points] == [0, 1, 2, 2, 3, 3, 3, 3, 4, 4]
    assert bad.points[-1] == (10 * DAY, 2.0)
    assert leads.points == ((DAY + 180, 10.0), (4 * DAY + 180, 3.0), (8 * DAY + 180, 24.0))
    assert recoveries.points == ((2 * DAY + 180, 2.0), (4 * DAY + 180, 3.0))


def values(text: str, parse: object = openmetrics) -> dict[tuple[str, str], float]:
    assert callable(parse)
    return {
        (sample.name.removeprefix("sluice_delivery_"), sample.labels["target"]): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def test_the_metrics_are_read_back_by_both_formats_parsers() -> None:
    text = exposition([of()]).decode()
    assert text.endswith("# EOF\n")
    found = values(text)
    assert found == values(text, older_text)
    assert found["deployments", "gke"] == 4
    assert found["change_failure_ratio", "gke"] == 0.5
    assert found["lead_time_seconds", "gke"] == 7 * HOUR
    assert found["recovery_time_seconds", "gke"] == 150
    assert found["window_seconds", "gke"] == 10 * DAY


def test_a_figure_that_there_is_none_of_is_no_metric() -> None:
    alone = values(exposition([of(Book(), {})]).decode())
    assert {name for name, _ in alone} == {
        "deployments", "deployments_failed", "deployments_unrecovered", "window_seconds", "computed_timestamp_seconds",
    }  # fmt: skip
    assert not any(math.isnan(value) for value in alone.values())


def test_the_page_has_the_figures_their_remarks_and_a_plot_each() -> None:
    page = render(delivery_sheet([of(under_way="E is copied")]))
    for said in ("0.444 a day", "7 h 00 min", "of 4 commits", "50 %", "2 min 30 s", "not counted: E is copied"):
        assert said in page
    assert page.count('<svg class="plot"') == 4
    assert "the failed were verified and rolled back by hand" in page
    assert "<script" not in page


def test_names_of_others_are_no_markup() -> None:
    page = render(delivery_sheet([of(under_way="<img src=x> \x1b[31m")]))
    assert "<img" not in page
    assert "\x1b" not in page

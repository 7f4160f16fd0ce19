"""The page and the terminal's tables of readiness: what is against the target comes first, and everything is there."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.readiness.good import good
from tests.unit.readiness.test_readiness_judging import moment

from sluice.readiness import judge, load_catalog
from sluice.readiness.model import Confirmation, Readiness
from sluice.report.readiness import against_table, people_table, sections_table, sheet_of
from sluice.report.sheet import render

CATALOG = load_catalog()


def readiness(*, required: float = 0.0, missing: str = "") -> Readiness:
    snapshot = good()
    drift = tuple(f"api: <b>edited</b> {number}" for number in range(20))
    snapshot = replace(snapshot, ledger=replace(snapshot.ledger, drift=drift))
    shared = replace(snapshot.target.cluster, monitoring="logging")  # of little weight, and early in the catalog
    snapshot = replace(snapshot, target=replace(snapshot.target, cluster=shared))
    if missing:
        snapshot = replace(snapshot, missing={missing: "no answer"})  # type: ignore[dict-item]
    now, then = moment(timedelta()), moment(timedelta(days=1))
    word = Confirmation("alerting.on-call", "gke", "Ada", now, then, "the rota of June")
    return judge(CATALOG, snapshot, [word], required=required)


def test_the_page_has_every_item_its_state_and_who_confirmed() -> None:
    page = render(sheet_of(readiness()))
    for item in CATALOG.items:
        assert item.id in page
    assert "Ada, 2027-01-15 08:00:00 UTC, until 2027-01-16 08:00:00 UTC" in page
    assert "the rota of June" in page
    assert "&lt;b&gt;edited&lt;/b&gt; 0" in page
    assert "<b>edited" not in page
    assert "and 8 more" in page
    assert "<script" not in page
    assert 'src="http' not in page


@pytest.mark.parametrize(
    ("required", "level", "title"), [(0.0, "warn", "Ready as far as is asked for"), (99.0, "fail", "Not ready")]
)
def test_its_head_says_what_it_comes_to(required: float, level: str, title: str) -> None:
    found = readiness(required=required)
    sheet = sheet_of(found)
    assert (sheet.level, sheet.title) == (level, title)
    assert sheet.lines[0].startswith(f"{found.score:g} of 100 points; ")
    assert ("99 are asked for" in sheet.lines[0]) is (required > 0)
    assert sheet.lines[1].startswith("deployment.no-drift: api: <b>edited</b> 0; and 19 more")


def test_with_everything_met_it_is_ready() -> None:
    items = [item for item in CATALOG.items if item.automatic]
    assert sheet_of(judge(replace(CATALOG, items=tuple(items)), good())).title == "Ready"


def test_the_sections_add_up() -> None:
    found = readiness()
    rows = sections_table(found).rows
    assert len(rows) == 13
    for column in range(2, 8):
        assert sum(int(row[column].text) for row in rows[:-1]) == int(rows[-1][column].text)
    assert rows[-1][1].text == f"{found.score:g}"


def test_what_nobody_was_asked_for_is_counted_below_the_table() -> None:
    assert [row[0].text for row in against_table(readiness()).rows] == [
        "deployment.no-drift",
        "architecture.apart",
    ], "the heaviest first"
    table = against_table(readiness(missing="ledger"))
    assert [row[0].text for row in table.rows] == ["architecture.apart"]
    assert table.note == "4 more could not be checked, and count as failed. ledger: no answer"


def test_people_are_told_what_is_left_to_them() -> None:
    rows = {row[0].text: row for row in people_table(readiness()).rows}
    assert set(rows) == {item.id for item in CATALOG.items if not item.automatic}
    assert rows["alerting.on-call"][4].text.startswith("Ada, ")
    assert rows["data.restored"][4].text == ""

"""The page that is drafted: filled into the template, and what it quotes is no markup."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.errors import EvidenceError
from sluice.incident.draft import MARKS, TEMPLATE, draft, read_template
from sluice.incident.model import SCHEMA, Burnt, Happening, Incident, Missing

ROOT = Path(__file__).parents[3]
INCIDENT = Incident(
    schema=SCHEMA,
    of="gke",
    start=0.0,
    end=3600.0,
    drafted=7200.0,
    timeline=(
        Happening(60.0, "alert", "Down (critical) fires", "service=backend", 120.0),
        Happening(90.0, "log spike", "50 lines", "tasks/backend", None, "a | b `c` <img src=x>\n[l](http://x) @ops"),
    ),
    burnt=(Burnt("backend", "availability", 1000.0, 25.0, 0.9, None),),
    facts=(("from", "1970-01-01T00:00:00.000Z"),),
    missing=(Missing("promotions (the ledger)", "no answer within 60 s"),),
    method=("By hand_made numbers.",),
)

_STRANGE = "".join(f"<!-- sluice: {mark} -->" for mark in "hgfedcba")


def page(incident: Incident = INCIDENT) -> str:
    return draft(read_template(ROOT), incident)


def test_the_template_is_filled_in_and_the_rest_is_left_to_people() -> None:
    text = page()
    assert "<!-- sluice:" not in text
    for heading in ("## Summary", "## Impact", "## Timeline", "## Contributing factors", "## Action items"):
        assert heading in text
    assert (
        "| 1970-01-01 00:01:00 | alert | `service=backend` | Down (critical) fires (until 1970-01-01 00:02:00) |  |"
        in text
    )
    assert "| `backend availability` | 1000 | 25 | 90.0% | not known |" in text
    assert "- promotions (the ledger): `no answer within 60 s`" in text
    assert "- By hand\\_made numbers." in text
    assert text.index("promotions (the ledger)") > text.index("### What could not be asked")


def test_what_is_quoted_is_code_in_one_cell() -> None:
    (row,) = (line for line in page().splitlines() if "log spike" in line)
    assert row.endswith("| `a \\| b 'c' <img src=x> [l](http://x) @ops` |")
    assert len(re.findall(r"(?<!\\)\|", row)) == 6


@pytest.mark.parametrize("text", ["*a*", "<b>", "# a", "@ops", "a|b", "[a](b)", "`a`", "a\nb\x1b[31m"])
def test_what_is_told_is_no_markup_either(text: str) -> None:
    found = page(Incident(SCHEMA, "gke", 0.0, 1.0, 2.0, timeline=(Happening(0.0, "alert", text),)))
    (row,) = (line for line in found.splitlines() if line.startswith("| 1970-01-01 00:00:00 | alert"))
    assert not re.search(r"(?<![\\&])[*#`\[]|<|@|\x1b", row)
    assert len(re.findall(r"(?<!\\)\|", row)) == 6


def test_long_words_are_cut_and_many_rows_are_counted() -> None:
    many = tuple(Happening(float(number), "alert", "x" * 1000) for number in range(410))
    text = page(Incident(SCHEMA, "gke", 0.0, 1.0, 2.0, timeline=many))
    assert "\n\n10 more are in incident.json." in text
    assert max(map(len, text.splitlines())) < 450


def test_what_is_as_long_as_it_may_be_is_whole() -> None:
    full = tuple(Happening(float(number), "alert", "x" * 300) for number in range(400))
    text = page(Incident(SCHEMA, "gke", 0.0, 1.0, 2.0, timeline=full))
    assert "more are in incident.json" not in text
    assert text.count(f"| {'x' * 300} |") == 400
    (cut,) = draft("<!-- sluice: missing -->", replace(INCIDENT, missing=(Missing("x" * 301, ""),))).splitlines()
    assert cut == f"- {'x' * 299}…: "


def test_nothing_that_was_found_is_said() -> None:
    text = page(Incident(SCHEMA, "gke", 0.0, 1.0, 2.0))
    assert "Nothing was found in that time." in text
    assert "Nothing is known of the error budgets in that time." in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("<!-- sluice: missing -->", ""), "missing stands there 0 times"),
        (("<!-- sluice: facts -->", "<!-- sluice: facts --> <!-- sluice: facts -->"), "facts stands there 2 times"),
        (("<!-- sluice: method -->", "<!-- sluice: methods -->"), "there is no mark methods"),
        (("<!-- sluice: method -->", _STRANGE), "; ".join(f"there is no mark {mark}" for mark in "abcdefgh")),
    ],
)
def test_a_template_that_would_leave_something_out_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    path = tmp_path / TEMPLATE
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / TEMPLATE).read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(EvidenceError) as error:
        read_template(tmp_path)
    assert said in str(error.value)


def test_without_a_template_all_marks_are_told(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as error:
        read_template(tmp_path)
    assert all(mark in str(error.value) for mark in MARKS)
    assert error.value.seen == "No such file or directory"


def test_a_template_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / TEMPLATE).parent.mkdir(parents=True)
    (tmp_path / TEMPLATE).write_bytes(b"\xff\xfe")
    with pytest.raises(EvidenceError) as error:
        read_template(tmp_path)
    assert error.value.seen == "no UTF-8"

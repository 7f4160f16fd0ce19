"""The tables of the documents say what the charts have."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from .documented import DOCUMENTED, blocks, inhibitions, values
from .documented import between as block_between
from .rendering import REPOSITORY, chart_values

RULES = sorted((REPOSITORY / "helm" / "monitoring" / "rules").glob("*.yaml"))
LOGS = sorted((REPOSITORY / "helm" / "logging").rglob("*.yaml"))
FULL = """
# A heading,
# of two lines.
one:
  # Above,
  # and above.
  two: 1  # behind
  three: "# no comment"
  four: [a, b]  # a list
  five: {six: 1}  # a map

# Of nothing.

seven: x
"""


@pytest.mark.parametrize(("file", "mark", "block"), list(blocks()), ids=lambda value: getattr(value, "name", None))
def test_a_table_is_what_the_chart_has(file: Path, mark: str, block: str) -> None:
    found = block_between(file.read_text(encoding="utf-8"), mark)
    assert found, f"{file} has no block {mark}"
    assert found[0] == block, f"{file} is not up to date: python3 -m tests.charts.documented"


@pytest.mark.parametrize("chart", DOCUMENTED)
def test_every_value_is_explained_and_none_is_left_out(chart: str) -> None:
    found = list(values((REPOSITORY / "helm" / chart / "values.yaml").read_text(encoding="utf-8")))
    assert [path for path, _, meaning in found if not meaning] == [], "give each a comment"
    assert {path.partition(".")[0] for path, *_ in found} == set(chart_values(chart))


def test_a_comment_is_found_behind_and_above() -> None:
    assert list(values(FULL)) == [
        ("one", "", "A heading, of two lines."),
        ("one.two", "`1`", "Above, and above. behind"),
        ("one.three", '`"# no comment"`', ""),
        ("one.four", '`["a", "b"]`', "a list"),
        ("one.five", '`{"six": 1}`', "a map"),
        ("seven", '`"x"`', ""),
    ]


@cache
def alert_names() -> set[str]:
    """Every alert of Prometheus' rules, and of Loki's."""
    found = {
        rule["alert"]
        for path in RULES
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    return found | {name for path in LOGS for name in re.findall(r"- alert: (\w+)", path.read_text(encoding="utf-8"))}


def test_every_alert_that_inhibition_names_exists() -> None:
    """A name that was changed in a rule would silently keep nothing back any more."""
    known = alert_names()
    assert len(known) > 60
    for rule in inhibitions():
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            name, operator, text = re.fullmatch(r"(\w+) (=~|!=|=) (.*)", matcher).groups()  # type: ignore[union-attr]
            if name == "alertname":
                for one in text.strip('"').split("|"):
                    assert any(re.fullmatch(one, alert) for alert in known), f"{operator} {one} matches no alert"


def test_no_alert_keeps_itself_back() -> None:
    """Alertmanager lets an alert that is on both sides through; that it is on both is a mistake nevertheless."""
    for rule in inhibitions():
        sides = []
        for side in ("source_matchers", "target_matchers"):
            named = [one for one in rule[side] if one.startswith("alertname =")]
            excluded = {one.removeprefix("alertname != ") for one in rule[side] if one.startswith("alertname !=")}
            texts = [re.sub(r"^alertname =~? ", "", one).strip('"') for one in named]
            sides.append({a for a in alert_names() if texts and all(re.fullmatch(t, a) for t in texts)} - excluded)
        assert not sides[0] & sides[1], rule

"""Which metrics moved: what came, went, rose or was started anew is told, what stood still is not."""

import re
from pathlib import Path

import pytest

from sluice.domain import Series
from sluice.steps.chosen_metrics import ALERTS, LAG, LOADED, QUESTIONS, Question
from sluice.steps.moved import alert_lines, moves, table

KNOWN = Path(__file__).parents[3] / "helm" / "monitoring" / "rules" / "metrics.txt"
COUNTER, GAUGE = Question("things", "counter", "x"), Question("level", "gauge", "x", least=2, unit="s")
START, END, STEP = 0.0, 60.0, 5.0


def series(*values: float | None, **labels: str) -> Series:
    """A value every 5 s from 0 s on; None where there is no point."""
    return Series(labels, tuple((number * STEP, value) for number, value in enumerate(values) if value is not None))


def told(question: Question, *given: Series) -> str:
    return table(question, moves(question, given, start=START, end=END, step=STEP), len(given))


@pytest.mark.parametrize("question", [*QUESTIONS, LAG, LOADED, ALERTS], ids=lambda question: question.title)
def test_only_metrics_that_a_cluster_has_are_asked_for(question: Question) -> None:
    known = {line.split()[0] for line in KNOWN.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"}
    query = re.sub(r'"[^"]*"|\{|\}', " ", question.of("default").query)
    named = set(re.findall(r"\b[a-zA-Z_]\w*_\w+\b|\bup\b|\bALERTS\b", query))
    named -= {"process_status", "app_id", "histogram_quantile"}
    assert named, "a query that names no metric asks nothing"
    assert named - known == set()


def test_a_namespace_is_filled_in_and_nothing_else() -> None:
    question = Question("x", "gauge", 'a{namespace="{namespace}",b!="{}"}').of("spaces")
    assert question.query == 'a{namespace="spaces",b!="{}"}'


def test_a_counter_that_rose_is_told_with_how_much_and_one_that_stood_is_not() -> None:
    text = told(COUNTER, series(*[5] * 6, *[9] * 7, pod="a"), series(*[3] * 13, pod="b"))
    assert text == "things: 1 of 2 series moved\n  5 → 9  (+4)  pod=a\n"


def test_a_series_that_is_born_or_gone_moved() -> None:
    assert "  none → 1  (+1)  pod=new" in told(COUNTER, series(*[None] * 6, *[1] * 7, pod="new"))
    ready = Question("ready", "gauge", "x")
    assert "  1 → none  pod=gone" in told(ready, series(*[1] * 6, *[None] * 7, pod="gone"))
    assert "  none → 1  pod=new" in told(ready, series(*[None] * 6, *[1] * 7, pod="new"))
    assert told(COUNTER, series(*[None] * 6, *[0] * 7, pod="new")) == "", "born at zero: nothing happened yet"


def test_a_counter_that_began_anew_is_told_as_such() -> None:
    assert "  50 → 2  (+5, began anew)  pod=a" in told(COUNTER, series(*[50] * 5, 53, *[2] * 7, pod="a"))


def test_what_always_moves_a_little_is_not_told_for_being_gone_nor_a_counter_that_stood() -> None:
    assert told(GAUGE, series(*[9] * 6, *[None] * 7, pod="gone")) == ""
    assert told(COUNTER, series(*[2060] * 6, *[None] * 7, pod="gone")) == ""
    assert "  5 → none  (+3)  pod=gone" in told(COUNTER, series(*[5] * 3, *[8] * 3, *[None] * 7, pod="gone"))


def test_a_gauge_tells_where_it_was_in_between_and_small_moves_are_left_out() -> None:
    assert "  1 → 1 s  (between 1 and 7)  pod=a" in told(GAUGE, series(*[1] * 5, 7, *[1] * 7, pod="a"))
    assert told(GAUGE, series(*[1] * 6, *[3] * 7, pod="a")) == "", "2 is not more than 2"


def test_what_moved_most_comes_first_and_only_so_many() -> None:
    text = told(COUNTER, *(series(0, *[number] * 12, number=str(number)) for number in range(1, 60)))
    lines = text.splitlines()
    assert lines[1].startswith("  0 → 59  (+59)")
    assert (len(lines), lines[-1]) == (42, "  … and 19 more")


def test_nan_is_no_value() -> None:
    assert told(GAUGE, series(*[float("nan")] * 13)) == ""
    assert "  5 → 9 s" in told(GAUGE, series(5, float("nan"), *[9] * 11, pod="a"))


def test_alerts_are_told_with_when_firing_first() -> None:
    found = [
        series(1, alertname="A", alertstate="firing", namespace="kube-system"),
        series(1, alertname="C", alertstate="firing", namespace="default"),
        series(*[None] * 2, 1, 1, None, None, None, None, 1, alertname="A", alertstate="pending", pod="a"),
        series(1, 1, alertname="B", alertstate="firing", __name__="ALERTS"),
    ]
    lines = alert_lines(found, step=STEP, first="default")
    assert lines == [
        "firing   C  00:00:00 to 00:00:00  namespace=default",
        "firing   A  00:00:00 to 00:00:00  namespace=kube-system",
        "firing   B  00:00:00 to 00:00:05  ",
        "pending  A  00:00:10 to 00:00:15; 00:00:40 to 00:00:40  pod=a",
    ]

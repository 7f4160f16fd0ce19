"""What Prometheus is asked for a month, and the page that is made of it."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sluice.budgets.month import HOUR, SloMonth, SloReport, Span
from sluice.budgets.stages import load_budget_policy
from sluice.domain import Series, dump
from sluice.errors import EvidenceError
from sluice.policy import load_policy
from sluice.report.monthly import level, monthly_sheet
from sluice.report.sheet import render
from sluice.slo.load import load_slos
from sluice.steps.collect_month import collect_month

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
POLICY = load_budget_policy(ROOT, load_policy(ROOT / "release" / "policy.toml"))
SLOS = {name: ones[:2] for name, ones in load_slos(ROOT).items() if name == "backend"}  # availability and latency
START = 1793491200.0  # 2026-11-01
WEEKS = Span("2026-11", START, START + 240 * HOUR, START + 720 * HOUR)


@dataclass
class Recorded:
    """Implements ports.Metrics: of each recorded series the sum of an hour, by SLO, and what is left at the end."""

    bad: Mapping[str, float]
    total: Mapping[str, float]
    samples: Mapping[str, float]
    left: Mapping[str, float] = field(default_factory=dict)
    until: float = math.inf
    asked: list[tuple[str, float, float]] = field(default_factory=list)

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """The same in every hour, until it ends."""
        assert step == HOUR
        assert 'namespace="tasks"' in query
        self.asked.append((query, start, end))
        of = self.samples if "count_over_time" in query else self.bad if "sli_error" in query else self.total
        times = [start + number * HOUR for number in range(round((end - start) / HOUR) + 1)]
        return tuple(
            Series({"service": "backend", "slo": slo}, tuple((at, value) for at in times if at <= self.until))
            for slo, value in of.items()
        )

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """What is left."""
        assert "period_error_budget_remaining" in query
        assert at == WEEKS.end
        return tuple(Series({"service": "backend", "slo": slo}, ((at, value),)) for slo, value in self.left.items())


async def collected(metrics: Recorded, when: Span = WEEKS) -> tuple[SloMonth, ...]:
    return await collect_month(metrics, SLOS, POLICY, when, namespace="tasks")


def recorded(**changed: object) -> Recorded:
    both = {"availability": 1000.0, "latency": 1000.0}
    given = Recorded({"availability": 0.5, "latency": 0.0}, both, dict.fromkeys(both, 120.0), {"availability": 0.4})
    return replace(given, **changed)  # type: ignore[arg-type]


async def test_counts_are_a_tenth_of_what_overlapping_five_minutes_add_up_to() -> None:
    one, other = await collected(recorded())
    assert (one.events, one.bad) == pytest.approx((24_000, 12))
    assert one.spent == pytest.approx(0.5)  # 12 of the 24 that may be bad
    assert (one.coverage, one.rolling_left, one.stage) == (1.0, 0.4, "watch")
    assert (other.spent, other.rolling_left, other.stage) == (0.0, None, "")


async def test_it_is_asked_a_week_at_a_time_and_no_hour_twice() -> None:
    metrics = recorded()
    await collected(metrics)
    spans = [(start, end) for query, start, end in metrics.asked if "sum_over_time(slo:sli_error" in query]
    assert spans == [(START + HOUR, START + 168 * HOUR), (START + 169 * HOUR, START + 240 * HOUR)]


async def test_what_was_not_recorded_is_not_covered() -> None:
    one, _ = await collected(recorded(until=START + 60 * HOUR))
    assert one.coverage == pytest.approx(0.25)
    assert one.events == pytest.approx(6000)


async def test_half_of_the_evaluations_are_half_of_the_time() -> None:
    one, _ = await collected(recorded(samples={"availability": 60.0, "latency": 120.0}))
    assert one.coverage == pytest.approx(0.5)


async def test_an_objective_that_no_series_speaks_of_is_there_without_data() -> None:
    one, other = await collected(recorded(total={"latency": 1000.0}, bad={"latency": 0.0}))
    assert (one.name, one.coverage, one.attained) == ("availability", 0.0, None)
    assert other.attained == 1.0


async def test_events_without_a_count_of_bad_ones_are_not_all_good() -> None:
    one, _ = await collected(recorded(bad={"latency": 0.0}))
    assert (one.coverage, one.attained) == (0.0, None)


async def test_a_budget_that_is_nan_is_not_known() -> None:
    one, _ = await collected(recorded(left={"availability": math.nan}))
    assert (one.rolling_left, one.stage) == (None, "")


async def test_a_prometheus_that_refuses_is_no_empty_report() -> None:
    class Refuses(Recorded):
        async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
            raise EvidenceError("Prometheus refused")

    with pytest.raises(EvidenceError):
        await collected(Refuses({}, {}, {}))


async def page_of(metrics: Recorded) -> tuple[str, str]:
    found = await collected(metrics)
    sheet = monthly_sheet("gke", found, WEEKS, POLICY, now=WEEKS.end)
    return render(sheet), " ".join(sheet.lines)


async def test_the_page_of_a_month() -> None:
    page, said = await page_of(recorded())
    assert "2 of 2 objectives were kept so far." in said
    assert "Stage watch: backend availability." in said
    for shown in ("99.9500 %", "100.0000 %", "2026-11-01", "watch 50 %", "freeze 100 %", "Nov 0", "60.0 % spent"):
        assert shown in page, shown
    assert page.count('<svg class="plot"') == 1
    assert not re.search(r"https?://|<script|src=", page)


async def test_a_page_without_data_never_says_100_percent() -> None:
    page, said = await page_of(Recorded({}, {}, {}))
    assert said == "0 of 2 objectives were kept so far. No data: backend availability, backend latency. " + (
        "Data is there for a part of the time only, 0 % at least: the rest may be worse."
    )
    assert "no data" in page
    assert "100.0000 %" not in page
    assert "Nothing to draw." in page


async def test_a_page_of_a_part_of_the_time_is_a_warning_and_says_of_how_much() -> None:
    found = await collected(recorded(until=START + 239 * HOUR, left={}))
    assert level(found[1], POLICY) == "pass"  # 99.58 %
    found = await collected(recorded(until=START + 60 * HOUR, left={}))
    assert [level(one, POLICY) for one in found] == ["warn", "warn"]
    assert "25 % at least" in (await page_of(recorded(until=START + 60 * HOUR)))[1]


async def test_what_was_not_kept_and_the_last_stage_are_fails() -> None:
    found = await collected(recorded(bad={"availability": 1.1, "latency": 0.0}, left={"latency": -0.01}))
    assert [level(one, POLICY) for one in found] == ["fail", "fail"]
    assert [one.stage for one in found] == ["", "freeze"]


async def test_what_is_almost_100_percent_is_not_rounded_up() -> None:
    page, _ = await page_of(recorded(bad={"availability": 0.0001, "latency": 0.0}))
    assert "99.9999 %" in page


async def test_the_json_has_gaps_that_can_be_read_back() -> None:
    found = await collected(recorded(until=START + 60 * HOUR))
    told = json.loads(dump(SloReport("sluice.slo-report/v1", "gke", WEEKS, found)))
    assert told["objectives"][0]["burn"]["points"][-1][1] == "NaN"
    assert told["objectives"][0]["coverage"] == pytest.approx(0.25)


async def test_a_little_is_not_rounded_down_to_nothing() -> None:
    page, said = await page_of(recorded(samples=dict.fromkeys(("availability", "latency"), 0.1)))
    assert "&lt; 0.1 % at least" in page
    assert "< 0.1 % at least" in said
    assert page.count("of &lt; 0.1 % of the time") == 2

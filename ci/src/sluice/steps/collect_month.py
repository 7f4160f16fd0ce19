"""What Prometheus recorded of every SLO in a month, asked hour by hour, a week at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sluice.budgets.month import DAY, HOUR, Hour, SloMonth, Span, month_of
from sluice.budgets.stages import BudgetPolicy
from sluice.domain import Series
from sluice.ports import Metrics
from sluice.slo.model import Slo
from sluice.slo.rules import EVERY_SECONDS, TILE_SECONDS

# So that no question takes Prometheus longer than its limits: 52 series, 20,160 samples of each.
_AT_ONCE = 7 * DAY
# Each five minutes is counted anew in half a minute: an event stands in ten of them, on both sides alike.
OVERLAP = TILE_SECONDS / EVERY_SECONDS
_KEY = ("service", "slo")

Key = tuple[str, str]
Values = dict[tuple[Key, float], float]


async def collect_month(
    metrics: Metrics, slos: Mapping[str, Sequence[Slo]], policy: BudgetPolicy, when: Span, *, namespace: str
) -> tuple[SloMonth, ...]:
    """Return what became of each SLO in a month. Raises EvidenceError where Prometheus refuses or does not answer.

    An SLO that no series speaks of is there too, with a coverage of 0.
    """
    selector = f'{{namespace="{namespace}"}}'
    bad = await _hourly(metrics, f"sum_over_time(slo:sli_error:increase5m{selector}[1h])", when)
    events = await _hourly(metrics, f"sum_over_time(slo:sli_total:increase5m{selector}[1h])", when)
    counted = await _hourly(metrics, f"count_over_time(slo:sli_error:increase5m{selector}[1h])", when)
    left = await _at_end(metrics, f"slo:period_error_budget_remaining:ratio{selector}", when)
    expected = HOUR / EVERY_SECONDS
    found = []
    for service, ones in slos.items():
        for slo in ones:
            key = (service, slo.name)
            hours = [
                Hour(at, total / OVERLAP, bad.get((key, at), math.nan) / OVERLAP, counted.get((key, at), 0) / expected)
                for (whose, at), total in events.items()
                if whose == key
            ]
            month = month_of(service, slo.name, float(slo.target), float(slo.budget), hours, when)
            remaining = left.get(key)
            stage = policy.stage(None if remaining is None else 1 - remaining)
            found.append(replace(month, rolling_left=remaining, stage=stage.name if stage else ""))
    return tuple(found)


async def _hourly(metrics: Metrics, query: str, when: Span) -> Values:
    """A query's value at the end of every hour, by SLO and time."""
    found: Values = {}
    begin = when.start + HOUR
    while begin <= when.end:
        end = min(begin + _AT_ONCE - HOUR, when.end)
        text = f"sum by ({', '.join(_KEY)}) ({query})"
        for series in await metrics.range(text, start=begin, end=end, step=HOUR):
            found |= {(_key(series), round(at / HOUR) * HOUR): value for at, value in series.points}
        begin = end + HOUR
    return found


async def _at_end(metrics: Metrics, query: str, when: Span) -> dict[Key, float]:
    """A query's value at the end; the worst where there are several, none where it is no number."""
    answered = await metrics.instant(f"min by ({', '.join(_KEY)}) ({query})", at=when.end)
    return {_key(one): one.points[-1][1] for one in answered if one.points and math.isfinite(one.points[-1][1])}


def _key(series: Series) -> Key:
    return series.labels.get("service", ""), series.labels.get("slo", "")

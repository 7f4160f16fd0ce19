"""A stretch of time on a target → a timeline: everybody who may know is asked, and who did not answer is told."""

import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio

from sluice.domain import Series
from sluice.incident.model import SCHEMA, Burnt, Happening, Incident, Missing, in_order
from sluice.incident.spikes import BEFORE_SECONDS, METHOD, MINUTE, Spike, mean_before, spikes
from sluice.incident.window import Window
from sluice.masking import Mask, masked
from sluice.ports import Alerting, ClusterEvent, Logs, Metrics, Workloads
from sluice.promotion.ledger import Entry
from sluice.steps.bundle import cause, moment
from sluice.steps.chosen_metrics import ALERTS, RESTARTS
from sluice.steps.collect_month import OVERLAP
from sluice.steps.incident_events import event_happenings, promotion_happenings, stood_at, too_old
from sluice.steps.incident_series import (
    FASTEST,
    alert_happenings,
    burn_happenings,
    labels_told,
    restart_happenings,
)
from sluice.steps.log_text import kinds
from sluice.steps.monitoring_facts import about_prometheus

# Prometheus gives 11,000 points of a series; nothing is seen closer than it is scraped or evaluated.
_MOST_POINTS, _CLOSEST_SECONDS = 10_000, 15.0
_LEVELS = "WARNING|ERROR|CRITICAL"
_SPIKES, _KINDS, _LINES = 20, 2, 200
_LONGEST_GAP_SECONDS = 60.0  # as the gate believes Prometheus by default
_FORGOTTEN = (
    "alerts on logs that are over",
    "Loki's ruler keeps none, and Alertmanager only what is active now; log spikes show what they are about",
)


@dataclass(frozen=True)
class Witnesses:
    """Whom an incident is asked of. `kept` are events that earlier runs of this host wrote down."""

    metrics: Metrics
    logs: Logs
    cluster: Workloads
    alerting: Alerting
    ledger: Callable[[], Awaitable[Sequence[Entry]]]
    kept: Callable[[Sequence[Entry]], Sequence[ClusterEvent]]


class _Collecting:
    """One timeline in the making; each question adds to it, and none can take the others with it."""

    def __init__(self, ask: Witnesses, when: Window, namespace: str, mask: Mask, seconds: float) -> None:
        self._ask, self._when, self._namespace, self._mask = ask, when, namespace, mask
        self.seconds = seconds  # for each question
        self.step = max(_CLOSEST_SECONDS, float(math.ceil(when.seconds / _MOST_POINTS)))
        self.found: list[Happening] = []
        self.missing: list[Missing] = []
        self.burnt: tuple[Burnt, ...] = ()
        self.facts: list[tuple[str, str]] = []

    async def asked(self, what: str, question: Callable[[], Awaitable[None]]) -> None:
        """Put a question; whatever keeps it from an answer is noted."""
        try:
            with anyio.fail_after(self.seconds):
                await question()
        except TimeoutError:
            self.missing.append(Missing(what, f"no answer within {self.seconds:g} s"))
        except Exception as error:  # noqa: BLE001 - one that fails must not take the others with it
            self.missing.append(Missing(what, cause(error)))

    async def alerts(self) -> None:
        """Alerts of Prometheus."""
        self.found += alert_happenings(await self._range(ALERTS.query), self._when, self.step)

    async def gaps(self) -> None:
        """Whether Prometheus was there all the time: what it did not see nobody tells."""
        start, end = self._when.start, self._when.end
        facts = await about_prometheus(self._ask.metrics, start, end, deadline_seconds=self.seconds)
        if facts.error:
            self.missing.append(Missing("whether Prometheus was there all the time", facts.error))
        elif facts.longest_gap_seconds > _LONGEST_GAP_SECONDS:
            why = (
                f"it scraped nothing for {facts.longest_gap_seconds:.0f} s: alerts, restarts and budgets lack that time"
            )
            self.missing.append(Missing("what Prometheus did not see", why))
        self.found += [
            Happening(at, "restart", "Prometheus was started", "Prometheus")
            for at in facts.starts
            if self._when.has(at)
        ]

    async def held(self) -> None:
        """What Alertmanager holds: alerts that Prometheus knows nothing of, and silences."""
        alerts, silences = await self._ask.alerting.alerts(), await self._ask.alerting.silences()
        of_prometheus = {one.labels.get("alertname") for one in await self._range(ALERTS.query)}
        for alert in alerts:
            name = alert.labels.get("alertname", "?")
            if self._when.has(alert.started) and name not in of_prometheus | {"Watchdog"}:
                told = f"{name} ({alert.labels.get('severity', '?')}) fires, and is {alert.state} now"
                self.found.append(Happening(alert.started, "alert", told, labels_told(alert.labels)))
        for one in silences:
            if self._when.has(one.started):
                more = f"by {one.who}: {one.comment}"
                self.found.append(Happening(one.started, "silence", "silenced", one.matches, one.ends, more))

    async def promotions(self) -> None:
        """Deploys and rollbacks, and the events that their runs wrote down."""
        entries = await self._ask.ledger()
        self.found += promotion_happenings(entries, self._when)
        self.facts.append(("release at the beginning", stood_at(entries, self._when.start)))
        self.found += event_happenings(self._ask.kept(entries), self._when)

    async def events(self) -> None:
        """What Kubernetes still knows."""
        events = await self._ask.cluster.events()
        self.found += event_happenings(events, self._when)
        if older := too_old(events, self._when):
            self.missing.append(older)

    async def restarts(self) -> None:
        """Containers that were started again."""
        why = "max by (namespace, pod, container, reason) (kube_pod_container_status_last_terminated_reason)"
        counts, reasons = await self._range(RESTARTS), await self._range(why)
        self.found += restart_happenings(counts, reasons, self._when)

    async def burns(self) -> None:
        """Budgets: when they burned fast, and what of them is gone."""
        whose = f'{{namespace="{self._namespace}"}}'
        rate = f"slo:sli_error:ratio_rate5m{whose} / on (service, slo) group_left () slo:error_budget:ratio"
        self.found += burn_happenings(await self._range(f"({rate}) > {FASTEST:g}"), self._when, self.step)
        start, end = self._when.start, self._when.end
        over = f"[{max(1, round(self._when.seconds))}s]"
        events = await self._by_slo(f"sum_over_time(slo:sli_total:increase5m{whose}{over}) / {OVERLAP:g}", end)
        bad = await self._by_slo(f"sum_over_time(slo:sli_error:increase5m{whose}{over}) / {OVERLAP:g}", end)
        left = f"slo:period_error_budget_remaining:ratio{whose}"
        before, after = await self._by_slo(left, start), await self._by_slo(left, end)
        self.burnt = tuple(
            Burnt(*key, events.get(key), bad.get(key), before.get(key), after.get(key))
            for key in sorted(events.keys() | after.keys())
        )
        if not self.burnt:
            self.missing.append(Missing("error budgets", "Prometheus has nothing recorded of any in that time"))

    async def log_spikes(self) -> None:
        """Levels of which there were more lines than in the hour before."""
        start, end = self._when.start, self._when.end
        by = "namespace, service, container, level"
        query = f'sum by ({by}) (count_over_time({{namespace=~".+", level=~"{_LEVELS}"}}[1m]))'
        lines = await self._ask.logs.range(query, start=start - BEFORE_SECONDS, end=end, step=MINUTE)
        anything = await self._ask.logs.instant('sum(count_over_time({namespace=~".+"}[1h]))', at=start)
        if not any(value > 0 for one in anything for _, value in one.points):
            why = "Loki has no line at all of it, so that any 5 lines in a minute are a spike"
            self.missing.append(Missing("the hour before, to compare logs with", why))
        found = [
            (spike, one)
            for one in lines
            for spike in spikes(one.points, start=start, usual=mean_before(one.points, start))
        ]
        found.sort(key=lambda pair: (-pair[0].lines, pair[0].start))
        if len(found) > _SPIKES:
            self.missing.append(Missing(f"{len(found) - _SPIKES} more log spikes", "only the largest are told"))
        for spike, one in found[:_SPIKES]:
            self.found.append(await self._spike(spike, one.labels))

    async def _spike(self, spike: Spike, labels: Mapping[str, str]) -> Happening:
        selector = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()))
        try:
            lines = await self._ask.logs.lines(f"{{{selector}}}", start=spike.start, end=spike.end, limit=_LINES)
            more = "; ".join(one.strip() for one in kinds(lines, _KINDS, self._mask))
        except Exception as error:  # noqa: BLE001 - that it was one is known all the same
            more = f"its lines could not be read: {cause(error)}"
        told = (
            f"{spike.lines} lines of level {labels.get('level', '?')}, up to {spike.highest} a minute; "
            f"{spike.usual:.2g} a minute in the hour before"
        )
        where = "/".join(filter(None, (labels.get(key, "") for key in ("namespace", "service", "container"))))
        return Happening(spike.start, "log spike", told, where, spike.end, more)

    async def _range(self, query: str) -> tuple[Series, ...]:
        return await self._ask.metrics.range(query, start=self._when.start, end=self._when.end, step=self.step)

    async def _by_slo(self, query: str, at: float) -> dict[tuple[str, str], float]:
        found = await self._ask.metrics.instant(f"sum by (service, slo) ({query})", at=at)
        values = {(one.labels.get("service", ""), one.labels.get("slo", "")): one.points[-1][1] for one in found}
        return {key: value for key, value in values.items() if math.isfinite(value)}


async def collect_incident(
    ask: Witnesses,
    when: Window,
    *,
    of: str,
    namespace: str,
    now: float,
    mask: Mask,
    seconds_each: float = 60,
) -> Incident:
    """Return what happened in a stretch of time, with every text masked; raises nothing but cancellation.

    `namespace` is the services'. Whoever refuses, or does not answer in `seconds_each`, is named in `missing`.
    """
    work = _Collecting(ask, when, namespace, mask, seconds_each)
    questions = {
        "gaps of Prometheus": work.gaps,
        "alerts of Prometheus": work.alerts,
        "what Alertmanager holds": work.held,
        "promotions (the ledger)": work.promotions,
        "events of Kubernetes": work.events,
        "restarts of containers": work.restarts,
        "error budgets": work.burns,
        "log spikes (Loki)": work.log_spikes,
    }
    async with anyio.create_task_group() as group:
        for what, question in questions.items():
            group.start_soon(work.asked, what, question)
    missing = [*work.missing, Missing(*_FORGOTTEN)]
    method = (
        f"Prometheus was asked for a point every {work.step:g} s: alerts, restarts and budgets are that exact.",
        f"Budgets: times in which the burn rate of five minutes was above {FASTEST:g}.",
        METHOD,
    )
    found = Incident(
        schema=SCHEMA,
        of=of,
        start=when.start,
        end=when.end,
        drafted=now,
        timeline=in_order(work.found),
        burnt=work.burnt,
        facts=(("from", moment(when.start)), ("to", moment(when.end)), *work.facts),
        missing=tuple(sorted(missing, key=lambda one: one.what)),
        method=method,
    )
    return masked(found, mask)


def with_missing(incident: Incident, more: Sequence[Missing]) -> Incident:
    """Return an incident in which more could not be asked."""
    return replace(incident, missing=(*more, *incident.missing))

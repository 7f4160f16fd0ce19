"""SLOs → the rules of Prometheus: how many events were bad in which window, what is left of the budget, and alerts.

Method and numbers are those of the SRE workbook, chapter 5, "Alerting on SLOs" (table 5-8), the names of the recorded
series those of sloth where it has one: https://sre.google/workbook/alerting-on-slos/, https://sloth.dev/
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sluice.slo.load import WINDOW
from sluice.slo.model import Slo

FAST, SLOW = "ErrorBudgetBurnFast", "ErrorBudgetBurnSlow"
# Fewer bad events than this are no trend, whatever share they are (docs/slo.md, "Few events").
FEWEST_BAD = 5
# Counted from the services' own counters; what is longer is the sum of five minutes after five minutes, which are there
# already, so that a day's window need not read every sample of every pod's counters again.
_COUNTED = ("5m", "30m", "1h")
_SUMMED = ("2h", "6h", "1d", "3d")
TILE_SECONDS = 300
_TILE = f"{TILE_SECONDS // 60}m"
_TILES = {"6h": 72, "1d": 288, "3d": 864}
# Windows are of minutes to days: where other rules are evaluated more often, these need not be.
EVERY_SECONDS = 30
_INTERVAL = f"{EVERY_SECONDS}s"

Lines = Iterator[str]


@dataclass(frozen=True)
class Burn:
    """A pair of windows: at `factor` times the allowed share, the long one takes `share` of the budget of 30 days."""

    alert: str
    severity: Literal["critical", "warning"]
    long: str
    short: str
    factor: str
    words: str
    share: str


BURNS = (
    Burn(FAST, "critical", "1h", "5m", "14.4", "hour", "2 %"),
    Burn(FAST, "critical", "6h", "30m", "6", "6 hours", "5 %"),
    Burn(SLOW, "warning", "1d", "2h", "3", "day", "10 %"),
    Burn(SLOW, "warning", "3d", "6h", "1", "3 days", "10 %"),
)


def rules_of(service: str, slos: list[Slo]) -> str:
    """The text of a service's rule file."""
    head = [heading(service), "groups:", f"  - name: slo-{service}", f"    interval: {_INTERVAL}", "    rules:"]
    return "\n".join([*head, *(line for slo in slos for line in _slo(slo))]) + "\n"


def heading(service: str) -> str:
    """The first line of a generated file."""
    return f"# Made by ./nox -s slo from services/{service}/slo.yaml; change that one. docs/slo.md explains both."


def summary(burn: Burn, slo: Slo) -> str:
    """An alert's summary."""
    pace = "fast" if burn.alert == FAST else "slowly and steadily"
    return f"{slo.spec.service} burns its error budget {pace}: {slo.name}"


def description(burn: Burn, slo: Slo, value: str, namespace: str) -> str:
    """An alert's description, with the value and the namespace or the templates for them."""
    return (
        f"{value} of the events of {namespace}/{slo.spec.service} in the last {burn.words} were bad for {slo.name} "
        f"(objective {slo.percent} in 30 days): over {burn.factor} times what is allowed, "
        f"which takes {burn.share} of the error budget in that time."
    )


def annotations(burn: Burn, slo: Slo, value: str, namespace: str) -> dict[str, str]:
    """An alert's annotations."""
    return {
        "summary": summary(burn, slo),
        "description": description(burn, slo, value, namespace),
        "runbook_url": f"helm/monitoring/runbooks/{burn.alert}.md",
        "dashboard_url": f"/d/slo-error-budgets?var-namespace={namespace}&var-service={slo.spec.service}",
    }


def labels(burn: Burn, slo: Slo) -> dict[str, str]:
    """An alert's labels, besides the namespace, which the events bring."""
    own = {"severity": burn.severity, "team": "services"}
    return own | {"service": slo.spec.service, "slo": slo.name, "window": burn.long}


def _slo(slo: Slo) -> Lines:
    """All rules of one SLO: first what later ones ask for."""
    selector = f'{{service="{slo.spec.service}", slo="{slo.name}"}}'

    def record(name: str, *expr: str) -> Lines:
        yield f"      - record: slo:{name}"
        if len(expr) == 1:
            yield f"        expr: {expr[0]}"
        else:
            yield "        expr: |"
            yield from (f"          {line}" for line in expr)
        yield f"        labels: {{service: {slo.spec.service}, slo: {slo.name}}}"

    def summed(side: str, window: str) -> list[str]:
        return [f"sum_over_time(slo:sli_{side}:increase{_TILE}{selector}[{window}])"]

    yield f"      # {slo.name}, {slo.percent}. {slo.spec.description}"
    yield from record("objective:ratio", f"vector({slo.target})")
    yield from record("error_budget:ratio", f"vector({slo.budget})")
    guarded = {burn.long for burn in BURNS}
    for window in (*_COUNTED, *_SUMMED):
        counted = window in _COUNTED
        error = _error(slo, window) if counted else summed("error", f"{window}:{_TILE}")
        total = _total(slo, window) if counted else summed("total", f"{window}:{_TILE}")
        if window == _TILE or window in guarded:
            yield from record(f"sli_error:increase{window}", *error)
            error = [f"slo:sli_error:increase{window}{selector}"]
            if counted:  # what is recorded has the label slo, and what is counted has not
                yield from record(f"sli_total:increase{window}", *total)
                total = [f"slo:sli_total:increase{window}{selector}"]
        yield from record(f"sli_error:ratio_rate{window}", *_ratio(error, total))
    # Of all that was recorded: each event is in ten five minutes that overlap, above and below the line alike.
    yield from record("sli_error:ratio_rate30d", *_ratio(summed("error", "30d"), summed("total", "30d")))
    yield from record("current_burn_rate:ratio", f"slo:sli_error:ratio_rate1h{selector} / {slo.budget}")
    left = f"1 - slo:sli_error:ratio_rate30d{selector} / {slo.budget}"
    yield from record("period_error_budget_remaining:ratio", left)
    for burn in BURNS:
        yield from _alert(burn, slo, selector)


def _total(slo: Slo, window: str) -> list[str]:
    return slo.ratio.total.query.replace(WINDOW, window).splitlines()


def _error(slo: Slo, window: str) -> list[str]:
    """The bad events. A counter that is born with its first event is not there before it: that is no bad event."""
    total = _inner(_total(slo, window))
    side = slo.ratio.bad or slo.ratio.good
    assert side is not None
    counted = _inner(side.query.replace(WINDOW, window).splitlines())
    known = ["(", *counted, ") or 0 * (", *total, ")"]
    if slo.ratio.bad:
        return known
    # The two sides are extrapolated apart: what is good may come out a little above what is there.
    return ["clamp_min(", "  (", *_inner(total), "  ) - (", *_inner(_inner(known)), "  ),", "  0", ")"]


def _ratio(error: list[str], total: list[str]) -> list[str]:
    """The share of bad events. Where nothing happens there is none, instead of 0/0."""
    if len(error) == len(total) == 1:
        return [f"{error[0]} / ({total[0]} > 0)"]
    above = error if len(error) == 1 else ["(", *_inner(error), ")"]
    return [*above, "/ (", *_inner(["(", *_inner(total), ") > 0"]), ")"]


def _inner(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _alert(burn: Burn, slo: Slo, selector: str) -> Lines:
    limit = f"{burn.factor} * {slo.budget}"
    yield f"      - alert: {burn.alert}"
    yield "        expr: |"
    yield f"          slo:sli_error:ratio_rate{burn.long}{selector} > {limit}"
    yield f"          and slo:sli_error:ratio_rate{burn.short}{selector} > {limit}"
    yield f"          and slo:sli_error:increase{burn.long}{selector} >= {FEWEST_BAD}"
    if burn.long in _TILES:
        # Half of the window has to be known: of a system that is an hour old nothing can be said for three days.
        known = f"count_over_time(slo:sli_total:increase{_TILE}{selector}[{burn.long}:{_TILE}])"
        yield f"          and {known} >= {_TILES[burn.long] // 2}"
    told = ", ".join(f"{key}: {value}" for key, value in labels(burn, slo).items())
    yield f"        labels: {{{told}}}"
    yield "        annotations:"
    value, namespace = "{{ $value | humanizePercentage }}", "{{ $labels.namespace }}"
    for key, text in annotations(burn, slo, value, namespace).items():
        yield f'          {key}: "{text}"' if key != "runbook_url" else f"          {key}: {text}"

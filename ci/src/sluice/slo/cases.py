"""SLOs → promtool tests of the rules: each alert fires in one case and keeps quiet in others.

What happens is told in burn rates, so that it is the same for every objective; the series come from the examples in
slo.yaml and go through the services' own metrics. What is expected is written down here and not computed.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from sluice.slo.examples import NAMESPACE, Phase
from sluice.slo.load import examples
from sluice.slo.model import Slo
from sluice.slo.rules import BURNS, FAST, SLOW, annotations, heading, labels

Lines = Iterator[str]
Phases = Callable[[Slo], tuple[Phase, ...]]

_EVENTS = 1000  # a minute
_FEW = 3
_ALL, _NONE = Decimal(1), Decimal(0)  # of the events are bad
_FIRING = 'count by (slo, window) (ALERTS{alertname=~"ErrorBudgetBurn.*", alertstate="firing"})'

# Minutes, and the burn rate in them: 20 times what is allowed is the most that an objective of 95 % can have.
_STORY = ((240, "0"), (135, "20"), (45, "0"), (305, "4"), (1445, "1.5"), (365, "0"))
# Minutes from the beginning, the windows whose alerts fire then, and why.
_CHAPTERS: tuple[tuple[int, tuple[str, ...], str], ...] = (
    (240, (), "all is well"),
    (245, (), "a burst: over the limit in the last 5 minutes, and not yet in the hour"),
    (290, ("1h",), "it lasts: over the limit in the hour too"),
    (370, ("1h", "6h"), "and in six hours"),
    (385, ("6h",), "it is over: the last 5 minutes are good, and the hour is silent though it is over its limit still"),
    (415, (), "the last half an hour is good: six hours are silent though they are over their limit still"),
    (715, (), "4 times the allowed, too slow for a page; of less than half a day nothing is said about a day"),
    (725, ("1d",), "half a day is known"),
    (860, (), "1.5 times: the last two hours are below the limit of a day, and three days are not half known"),
    (2155, (), "the same"),
    (2170, ("3d",), "half of three days is known"),
    (2535, (), "the last six hours are good: three days are silent though they are over their limit still"),
)
# Minutes from the very first event on, every one of them bad.
_OUTAGE: tuple[tuple[int, tuple[str, ...]], ...] = ((15, ("1h",)), (185, ("1h", "6h")), (725, ("1h", "6h", "1d")))


def cases_of(service: str, slos: list[Slo]) -> str:
    """The text of a service's promtool test."""
    head = [
        heading(service),
        f"rule_files: [../slo-{service}.yaml]",
        "evaluation_interval: 5m",
        "fuzzy_compare: true",
        "tests:",
    ]
    cases = (_story(slos), _outage(slos), _well(slos), _few(slos), _none(slos))
    return "\n".join([*head, *(line for case in cases for line in case)]) + "\n"


def _story(slos: list[Slo]) -> Lines:
    def phases(slo: Slo) -> tuple[Phase, ...]:
        return tuple(Phase(minutes, _EVENTS, Decimal(burn) * slo.budget) for minutes, burn in _STORY)

    yield from _test("an outage, then a slow burn", slos, phases)
    yield "    promql_expr_test:"
    for minutes, windows, why in _CHAPTERS:
        yield f"      # {why}"
        yield from _firing(slos, minutes, windows)


def _outage(slos: list[Slo]) -> Lines:
    end = _OUTAGE[-1][0]
    yield from _test("every event is bad, from the first one on", slos, lambda _: (Phase(end, _EVENTS, _ALL),))
    yield "    alert_rule_test:"
    for (minutes, windows), alert in ((_OUTAGE[1], FAST), (_OUTAGE[1], SLOW), (_OUTAGE[-1], SLOW)):
        yield from _alerts(alert, minutes, [(slo, window) for slo in slos for window in windows])
    yield "    promql_expr_test:"
    for minutes, windows in _OUTAGE:
        yield from _firing(slos, minutes, windows)
    yield from _each("slo:objective:ratio", end, [(slo, slo.target) for slo in slos])
    yield from _each("slo:current_burn_rate:ratio", end, [(slo, 1 / slo.budget) for slo in slos])
    yield from _each("slo:period_error_budget_remaining:ratio", end, [(slo, 1 - 1 / slo.budget) for slo in slos])


def _well(slos: list[Slo]) -> Lines:
    yield from _test(
        "every event is good, and what counts bad ones is not born", slos, lambda _: (Phase(30, _EVENTS, _NONE),)
    )
    yield from _quiet((15, 30))
    yield "    promql_expr_test:"
    yield from _each("slo:sli_error:ratio_rate30d", 30, [(slo, _NONE) for slo in slos])
    yield from _each("slo:period_error_budget_remaining:ratio", 30, [(slo, _ALL) for slo in slos])


def _few(slos: list[Slo]) -> Lines:
    phases = (Phase(10, 0, _NONE), Phase(1, _FEW, _ALL), Phase(19, 0, _NONE))
    yield from _test(f"every event is bad, and there are {_FEW} of them at most", slos, lambda _: phases)
    yield from _quiet((15, 30))
    # The share is known and high: what keeps the alerts quiet is that there are few.
    yield "    promql_expr_test:"
    yield from _each("slo:sli_error:ratio_rate1h", 15, [(slo, _ALL) for slo in slos])


def _none(slos: list[Slo]) -> Lines:
    yield from _test("nothing happens, but for what does not count", slos, lambda _: (Phase(30, 0, _NONE),), born=True)
    yield from _quiet((15, 30))
    yield "    promql_expr_test:"
    # No share of nothing, and so no burn rate.
    yield from _expected('count({__name__=~"slo:(sli_error:ratio|current|period).*"})', 30, ())


def _test(name: str, slos: list[Slo], phases: Phases, *, born: bool = False) -> Lines:
    """A test's head and its series; `born` are there from the start, moved or not."""
    yield from (f"  - name: {name}", "    interval: 1m", "    input_series:")
    for slo in slos:
        for series in examples(slo):
            if born or series.moves(phases(slo)):
                yield f"      - series: '{series.name}'"
                yield f"        values: {series.values(phases(slo))}"


def _quiet(minutes: Iterable[int]) -> Lines:
    yield "    alert_rule_test:"
    for each in minutes:
        yield from (f"      - {{eval_time: {each}m, alertname: {alert}, exp_alerts: []}}" for alert in (FAST, SLOW))


def _firing(slos: list[Slo], minutes: int, windows: Iterable[str]) -> Lines:
    told = ((f'slo="{slo.name}", window="{window}"', "1") for slo in slos for window in windows)
    yield from _expected(_FIRING, minutes, told)


def _each(name: str, minutes: int, values: Iterable[tuple[Slo, Decimal]]) -> Lines:
    told = ((f'slo="{slo.name}"', f"{value:.12g}") for slo, value in values)
    yield from _expected(f"sum by (slo) ({name})", minutes, told)


def _expected(expr: str, minutes: int, samples: Iterable[tuple[str, str]]) -> Lines:
    told = [f"          - {{labels: '{{{selector}}}', value: {value}}}" for selector, value in samples]
    yield f"      - expr: '{expr}'"
    yield f"        eval_time: {minutes}m"
    yield "        exp_samples:" if told else "        exp_samples: []"
    yield from told


def _alerts(alert: str, minutes: int, firing: Iterable[tuple[Slo, str]]) -> Lines:
    found = [(slo, burn) for slo, window in firing for burn in BURNS if (burn.alert, burn.long) == (alert, window)]
    if not found:
        yield f"      - {{eval_time: {minutes}m, alertname: {alert}, exp_alerts: []}}"
        return
    yield from (f"      - eval_time: {minutes}m", f"        alertname: {alert}", "        exp_alerts:")
    for slo, burn in found:
        told = ", ".join(f"{key}: {value}" for key, value in (labels(burn, slo) | {"namespace": NAMESPACE}).items())
        yield f"          - exp_labels: {{{told}}}"
        yield "            exp_annotations:"
        yield from (f'              {key}: "{text}"' for key, text in annotations(burn, slo, "100%", NAMESPACE).items())

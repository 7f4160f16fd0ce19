"""A service's SLOs → queries that count the events of some of its pods: of a canary, and of what stands beside it.

The good, bad and total events are those of the service's slo.yaml. Two things are put in: which pods are meant, and
another way to count. increase() sees nothing of a counter's first value, and all counters of a canary are new: a pod
that has answered its first seven requests with 500 when it is scraped for the first time would have had no bad event.
What a counter has now, less what it had before the window, is exact; it is all that it has now where it was not there
before, or is lower now because its process was started again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from sluice.policy.promql import metrics_named
from sluice.slo.load import WINDOW
from sluice.slo.model import Slo

# A selector by its lexical rules: https://prometheus.io/docs/prometheus/latest/querying/basics/
_STRING = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`'
_COUNTED = re.compile(
    rf"\bincrease\s*\(\s*(?P<metric>[A-Za-z_:][\w:]*)\s*\{{(?P<matchers>(?:{_STRING}|[^{{}}\"'`])*)\}}"
    rf"\s*\[\s*{re.escape(WINDOW)}\s*\]\s*\)"
)


@dataclass(frozen=True)
class Countable:
    """An SLO whose events pods count by themselves. `side` is the query of the bad events, or of the good ones."""

    name: str
    budget: Decimal
    side: str
    bad: bool
    total: str

    def queries(self, *, namespace: str, pods: str, seconds: float) -> tuple[str, str]:
        """Return what counts one side and all events of the last seconds; `pods` is a matcher, such as `pod="x"`."""
        return (
            _of_pods(self.side, namespace=namespace, pods=pods, seconds=seconds),
            _of_pods(self.total, namespace=namespace, pods=pods, seconds=seconds),
        )

    def bad_of(self, side: float | None, total: float) -> float:
        """Return the number of bad events. A side without a series (None) has counted nothing yet."""
        counted = 0.0 if side is None else side
        return counted if self.bad else max(total - counted, 0.0)


def countable(slos: Iterable[Slo]) -> tuple[Countable, ...]:
    """Return the SLOs that canary and stable can be told apart by, in their order: the first one always counts.

    Not those that look at the service as a whole, such as the age of what lies in its outbox: whose fault that is
    cannot be told from the pod that says it.
    """
    found = []
    for slo in slos:
        side = slo.ratio.bad or slo.ratio.good
        assert side is not None  # RatioMetric has one of them
        if _only_counts(side.query) and _only_counts(slo.ratio.total.query):
            bad = slo.ratio.bad is not None
            found.append(Countable(slo.name, slo.budget, side.query, bad, slo.ratio.total.query))
    return tuple(found)


def pods_of_canary(service: str) -> str:
    """The matcher of a canary's pods."""
    return f'pod=~"{service}-canary-.*"'


def pods_of_stable(service: str) -> str:
    """The matcher of the pods beside it: all others of the service's, `service` being matched by its SLOs already."""
    return f'pod!~"{service}-canary-.*",pod!=""'


def _only_counts(query: str) -> bool:
    """Whether every series of a query is counted by increase() over the window."""
    return bool(_COUNTED.search(query)) and not metrics_named(_COUNTED.sub("1", query))


def _of_pods(query: str, *, namespace: str, pods: str, seconds: float) -> str:
    window = f"{max(round(seconds * 1000), 1)}ms"

    def counted(found: re.Match[str]) -> str:
        own = found["matchers"].strip().rstrip(",")
        matchers = ",".join(filter(None, [own, f'namespace="{namespace}"', pods]))
        selector = f"{found['metric']}{{{matchers}}}"
        return f"((({selector} - {selector} offset {window}) >= 0) or {selector})"

    return _COUNTED.sub(counted, query)

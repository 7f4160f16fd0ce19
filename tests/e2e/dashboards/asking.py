"""Asks what a panel asks, as Grafana would over the last half hour, and keeps the matrix of panels and their data."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.e2e.support import SCRAPED_WITHIN, eventually
from tests.e2e.tables import leave_table

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.dashboards import Dashboard, Panel, Query, fill
from sluice.domain import Series, SuiteTable
from sluice.errors import SluiceError
from sluice.steps.collect_dashboards import chosen
from sluice.steps.run_suites import SuiteContext

WINDOW = 1800.0
STEP = 15.0
RATE = 300.0  # of what earlier suites did, too
# Once the first wait is over, what is not there will not come: the tests after it need not wait as long.
_LEAST_PATIENCE = 5.0
COLUMNS = ("Panel", "Dashboard", "Query", "Series", "Points", "Outcome")


@dataclass(frozen=True)
class Answer:
    """How much came: series with a number, and their points; of log lines, one series of so many."""

    series: int
    points: int


@dataclass
class Live:
    """The two servers, and what was found so far."""

    context: SuiteContext
    prometheus: PrometheusMetrics
    loki: LokiLogs
    rows: list[tuple[str, ...]] = field(default_factory=list)
    _until: float = field(default_factory=lambda: time.monotonic() + SCRAPED_WITHIN)

    def values(self, dashboard: Dashboard) -> dict[str, str]:
        """The services' namespace, and everything of all else."""
        return chosen(dashboard, self.context.namespace)

    async def answer(self, dashboard: Dashboard, panel: Panel, query: Query) -> Answer:
        """What a query gives now. Raises EvidenceError where it is refused."""
        text = fill(query.text, self.values(dashboard), window=WINDOW, step=STEP, rate=RATE)
        end = time.time()
        if panel.kind == "logs":
            lines = await self.loki.lines(text, start=end - WINDOW, end=end, limit=100)
            return Answer(bool(lines), len(lines))
        server = self.prometheus if query.language == "promql" else self.loki
        if query.instant:
            return _counted(await server.instant(text, at=end))
        return _counted(await server.range(text, start=end - WINDOW, end=end, step=STEP))

    async def check(self, dashboard: Dashboard, panel: Panel, query: Query, reason: str) -> None:
        """Note what a query gives. Raises AssertionError where it gives nothing and there is no reason for that."""
        name = f"{dashboard.uid}: {panel.title}, {query.ref}"
        answer, outcome, said = Answer(0, 0), "data", ""

        async def has_data() -> Answer:
            found = await self.answer(dashboard, panel, query)
            assert found.points, f"{name} has no data: {query.text}"
            return found

        try:
            if reason:
                answer = await self.answer(dashboard, panel, query)
                outcome = "data" if answer.points else f"silent: {reason}"
            else:
                patience = max(_LEAST_PATIENCE, self._until - time.monotonic())
                answer = await eventually(has_data, within=patience, every=1)
        except SluiceError as error:
            outcome, said = "refused", str(error)
        except AssertionError as error:
            outcome, said = "missing", str(error)
        self._note((panel.title, dashboard.uid, query.ref, str(answer.series), str(answer.points), outcome))
        assert not said, said

    def _note(self, row: tuple[str, ...]) -> None:
        """Written each time: a run that is killed has told what it knew."""
        self.rows.append(row)
        outcomes = [one[-1].partition(":")[0] for one in self.rows]
        note = ", ".join(f"{outcomes.count(word)} {word}" for word in dict.fromkeys(outcomes))
        table = SuiteTable(
            "dashboards", "Panels and their data over the last half hour", COLUMNS, tuple(self.rows), note
        )
        leave_table(self.context, table)


def _counted(answered: Sequence[Series]) -> Answer:
    numbers = [sum(math.isfinite(value) for _, value in one.points) for one in answered]
    return Answer(sum(number > 0 for number in numbers), sum(numbers))

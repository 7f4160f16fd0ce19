"""A module's drills are made once, side by side, by the first test that asks for one."""

from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from tests.e2e.alerts.catalog import Round, Stage
from tests.e2e.alerts.cluster import Drills
from tests.e2e.alerts.drill import Drill, Outcome, drilled
from tests.e2e.alerts.table import table
from tests.e2e.alerts.watching import Watch
from tests.e2e.kube import Kube
from tests.e2e.support import Clients, asked_for
from tests.e2e.tables import leave_table

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.install_receivers import NAME, PORT
from sluice.steps.run_suites import SuiteContext


@pytest.fixture(scope="session")
def watch(context: SuiteContext, api_server: httpx.AsyncClient) -> Watch:
    """What Prometheus and the receivers say."""
    server = context.prometheus
    prometheus = ServiceProxy(api_server, server.namespace, server.name, server.port)
    receivers = ServiceProxy(api_server, context.alertmanager.namespace, NAME, PORT)
    return Watch(prometheus, receivers)


@pytest.fixture(scope="module")
async def outcomes(
    request: pytest.FixtureRequest,
    context: SuiteContext,
    kube: Kube,
    clients: Clients,
    prometheus: PrometheusMetrics,
    watch: Watch,
) -> AsyncIterator[dict[str, Outcome]]:
    """What was seen of each drill of the module's ROUND, by its alert: of those that a test asks for, or all of them.

    What the drills put there goes when the last test has looked.
    """
    found: dict[str, Outcome] = {}
    own: Round = request.module.ROUND
    wanted = asked_for(request, "alert")

    async def one(drill: Drill) -> None:
        found[drill.alert] = await drilled(drill, watch)

    stage: Stage | None = None
    try:
        stage = await own.staged(kube, clients, prometheus)
        drills = own.drills(stage)
        async with anyio.create_task_group() as watching:
            watching.start_soon(watch.run)
            async with anyio.create_task_group() as group:
                for drill in drills:
                    if not wanted or drill.alert in wanted:
                        group.start_soon(one, drill)
            watching.cancel_scope.cancel()
        if len(found) == len(drills):
            leave_table(context, table(found.values(), own.table, own.title))
        yield found
    finally:
        await (stage.drills if stage else Drills(kube, {})).gone(prometheus)

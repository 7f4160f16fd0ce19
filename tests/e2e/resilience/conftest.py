"""All kills are made once, by the first test that asks for one."""

import pytest
from tests.e2e.kube import Kube
from tests.e2e.resilience.aftermath import Aftermath, World, killed, programs, table
from tests.e2e.support import Clients, asked_for
from tests.e2e.tables import leave_table

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.run_suites import SuiteContext


@pytest.fixture(scope="module")
async def aftermath(
    request: pytest.FixtureRequest,
    context: SuiteContext,
    kube: Kube,
    clients: Clients,
    loki: LokiLogs,
    prometheus: PrometheusMetrics,
) -> Aftermath:
    """What is left when everything was killed, or what the tests of this session ask for."""
    found = await killed(World(context, kube, clients, loki, prometheus), asked_for(request, "program"))
    if len(found.kills) == len(programs(context)):
        leave_table(context, table(found.kills))
    return found

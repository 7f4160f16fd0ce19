"""Traffic once for the suite, and the matrix that its tests fill."""

import pytest
from tests.e2e.dashboards.asking import Live
from tests.e2e.dashboards.traffic import Traffic
from tests.e2e.kube import Kube
from tests.e2e.support import Clients
from tests.e2e.users import Signer
from tests.e2e.websocket.listening import Sync

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.run_suites import SuiteContext


@pytest.fixture(scope="session")
async def live(
    context: SuiteContext,
    clients: Clients,
    kube: Kube,
    signer: Signer,
    prometheus: PrometheusMetrics,
    loki: LokiLogs,
) -> Live:
    """What is asked, after there was something to see."""
    sync = Sync(kube, context.services["sync"], signer)
    await Traffic(context, clients, sync, prometheus).make()
    return Live(context, prometheus, loki)

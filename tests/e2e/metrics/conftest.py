"""One journey for the whole suite."""

from collections.abc import Callable

import pytest
from tests.e2e.metrics.journey import Journey, travel
from tests.e2e.support import Clients

from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.run_suites import SuiteContext


@pytest.fixture(scope="session")
def selector(context: SuiteContext) -> str:
    """The labels that every series of the backend itself has; its sidecar's job is another."""
    address = context.services["backend"]
    return f'namespace="{address.namespace}", service="{address.name}", job="{address.name}"'


@pytest.fixture(scope="session")
async def travelled(clients: Clients, prometheus: PrometheusMetrics, selector: str) -> Journey:
    """The journey, made once: it waits for two scrapes."""
    return await travel(clients, prometheus, selector)


@pytest.fixture
def journey(travelled: Journey, note_request: Callable[[str], None]) -> Journey:
    """The journey, its requests noted with the test that looks at it."""
    for request_id in travelled.request_ids:
        note_request(request_id)
    return travelled
